import { existsSync } from "node:fs"
import { vi } from "vitest"
import type { Host } from "../../../src/plugin/host/port.ts"
import type { Worktrees } from "../../../src/plugin/worktrees/worktrees.ts"
import { settled } from "../../machines/support/play.ts"
import { testRepository, writeAll } from "../worktrees/support/repository.ts"
import { sessionOf } from "./opencode-data.ts"
import { type CallOptions, testServices } from "./services.ts"

/** Until this holds, however long git takes. */
export const gitDone = (holds: () => boolean) => vi.waitUntil(holds, { timeout: 25_000, interval: 5 })

/** The product for an owner who works in a real repository. `through` stands between the product and its worktrees. */
export function isolatedServices(
  overrides: Partial<Host> = {},
  through: (worktrees: Worktrees) => Partial<Worktrees> = () => ({}),
) {
  const repo = testRepository()
  repo.commit({ "a.txt": "1\n", "b.txt": "1\n" })
  const worktrees = { ...repo.worktrees, ...through(repo.worktrees) }
  const services = testServices(overrides, {}, undefined, { worktrees })
  services.host.sessions.set("owner", sessionOf("owner", { directory: repo.path }))
  const recordOf = (id: string) => services.troupe.records.get("owner", id)

  /** Where the child of a job works. */
  function directoryOf(id: string): string {
    const directory = recordOf(id)?.worktree?.directory
    if (directory === undefined) throw new Error(`${id} has no worktree`)
    return directory
  }

  const answered = new Set<unknown>()
  /** What its child is asked and has not answered. */
  const promptOf = (id: string) =>
    services.host.prompts.find((each) => each.prompt.session === recordOf(id)?.session && !answered.has(each))

  return {
    ...services,
    repo,
    recordOf,
    directoryOf,
    start: (...tasks: object[]) => services.call("agents_start", { tasks }),
    /** A job in a worktree of its own, which its child is asked to work in. */
    async begin(id: string, isolation: unknown = "worktree"): Promise<void> {
      await services.call("agents_start", { tasks: [{ id, prompt: `do ${id}`, isolation }] })
      await gitDone(() => promptOf(id) !== undefined)
    },
    /** The job's child has changed these files, and is done. */
    async finish(id: string, files: Record<string, string> = {}, text = "done"): Promise<void> {
      await gitDone(() => promptOf(id) !== undefined)
      writeAll(directoryOf(id), files)
      const asked = promptOf(id)
      answered.add(asked)
      asked?.answer(text)
      await gitDone(() => ["done", "failed"].includes(recordOf(id)?.state ?? ""))
      await settled()
    },
    apply: (ids: string[], how?: CallOptions) => services.call("agents_apply", { ids }, how),
    discard: (...ids: string[]) => services.call("agents_apply", { ids, discard: true }),
    isThere: (id: string) => existsSync(directoryOf(id)),
  }
}
