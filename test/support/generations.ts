import { describe, type TestOptions } from "vitest"
import {
  type AnyOpencode,
  type AnyProject,
  type Generation,
  nameOf,
  type OpencodeOptions,
  type ProjectOptions,
} from "./any-opencode.ts"
import { type BuiltInTools, builtInTools } from "./built-in-tools.ts"
import { openProject1, startOpencode1 } from "./opencode-1.ts"
import { openProject2, startOpencode2 } from "./opencode-2.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"
import { isWanted } from "./wanted.ts"

/** The real opencode of one generation. */
export interface OneGeneration {
  generation: Generation
  /** Opens a project in an opencode that this worker's tests share: for tests that do nothing to the process itself. */
  open(options: ProjectOptions): Promise<AnyProject>
  /** Starts an opencode of one's own. */
  start(options: OpencodeOptions): Promise<AnyOpencode>
  /** opencode's own tools. */
  tools: BuiltInTools
  /** A call's title: opencode 2 shows none. */
  titled(title: string): string
}

const one: OneGeneration = {
  generation: 1,
  open: openProject1,
  start: startOpencode1,
  tools: builtInTools(1),
  titled: (title) => title,
}
const two: OneGeneration = {
  generation: 2,
  open: openProject2,
  start: startOpencode2,
  tools: builtInTools(2),
  titled: () => "",
}

/**
 * Runs the same tests on both generations of opencode, or on the one that OPENCODE names. One for which this machine
 * has none is named as skipped.
 */
export function describeBoth(title: string, tests: (opencode: OneGeneration) => void): void {
  for (const each of [one, two])
    if (isWanted(each.generation)) describeOn(each.generation, title, () => tests(each))
}

/** Tests of one generation alone. Where they are not to run, or cannot, their title says why they are skipped. */
export function describeOn(
  generation: Generation,
  title: string,
  tests: () => void,
  options: TestOptions = {},
): void {
  const reason = whyNot(generation)
  const skipped = reason === undefined ? "" : ` (skipped: ${reason})`
  describe.skipIf(reason !== undefined)(`${nameOf(generation)}${skipped}: ${title}`, options, tests)
}

/** Why nothing runs on this generation; undefined where it does. */
export function whyNot(generation: Generation): string | undefined {
  if (!isWanted(generation)) return "OPENCODE names the other generation"
  if (generation === 2 && opencode2Binary() === undefined)
    return "this machine has none; name one in OPENCODE2"
  return undefined
}
