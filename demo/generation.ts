import type { Generation } from "../test/support/any-opencode.ts"
import { installOpencode2, opencode2Binary } from "../test/support/opencode-2-binary.ts"

/** Which opencode the demo runs on. */
export type Choice = {
  generation: Generation
  /** Why it is not opencode 2, where nobody asked for another. */
  note?: string
}

/**
 * The generation that was asked for; else 2 where there is one for this machine.
 * @throws if 2 was asked for and there is none, or OPENCODE2 names what does not exist or is no opencode 2
 */
export function choose(asked: Generation | undefined): Choice {
  if (asked === 1) return { generation: 1 }
  const lack = lackOfTwo()
  if (lack === undefined) return { generation: 2 }
  if (asked === 2) throw new Error(lack)
  return { generation: 1, note: `This runs on opencode 1.18: ${lack}` }
}

function lackOfTwo(): string | undefined {
  try {
    installOpencode2()
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : error
    return `opencode 2 could not be installed (${reason}). Name an executable in OPENCODE2.`
  }
  return opencode2Binary() === undefined
    ? "there is no opencode 2 for this machine. Install one, or name one in OPENCODE2."
    : undefined
}
