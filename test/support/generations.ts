import { describe } from "vitest"
import type { AnyOpencode, Generation, OpencodeOptions } from "./any-opencode.ts"
import { startOpencode1 } from "./opencode-1.ts"
import { startOpencode2 } from "./opencode-2.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"

export type Start = (options: OpencodeOptions) => Promise<AnyOpencode>

/** Runs the same tests on both generations of opencode; one for which this machine has none is named as skipped. */
export function describeBoth(title: string, tests: (start: Start, generation: Generation) => void): void {
  describe(`opencode 1.18: ${title}`, () => tests(startOpencode1, 1))
  const isMissing = opencode2Binary() === undefined
  const reason = isMissing ? " (skipped: none is installed for this machine; name one in OPENCODE2)" : ""
  describe.skipIf(isMissing)(`opencode 2${reason}: ${title}`, () => tests(startOpencode2, 2))
}
