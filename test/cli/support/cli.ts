import { runCli } from "../../../src/cli/cli.ts"
import type { Surroundings } from "../../../src/cli/surroundings.ts"

export type Answered = Partial<Surroundings> & {
  /** What a person types when they are asked; nothing: they are gone. */
  typed?: string
}

/** What the command line does in this process. */
export async function cli({ typed, ...surroundings }: Answered, ...args: string[]) {
  const output = { out: "", err: "", asked: [] as string[] }
  const code = await runCli(args, {
    write: (text) => {
      output.out += text
    },
    complain: (text) => {
      output.err += text
    },
    ask: async (question) => {
      output.asked.push(question)
      return typed
    },
    open: async () => false,
    hasColours: false,
    ...surroundings,
  })
  return { code, ...output }
}
