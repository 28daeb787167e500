import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { runCommand } from "../../../src/plugin/children/check/run-command.ts"
import { type AnotherUser, anotherUser, canBeTwoUsers } from "../../inspector/support/another-user.ts"
import { poll } from "../../support/waiters.ts"
import { testRepository, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"

describe.skipIf(!canBeTwoUsers)("another user (only root on Linux can be two)", () => {
  let them: AnotherUser

  beforeAll(async () => {
    them = await anotherUser()
  })
  afterAll(() => them.end())

  it("neither reads nor disturbs a check while it runs, nor the worktree that it runs in", async () => {
    const repo = testRepository()
    repo.commit({ "a.txt": "1\n" })
    const around = dirname(dirname(repo.folder))
    // Whatever they fail at, it is not because they cannot come here.
    for (const each of [around, repo.path]) chmodSync(each, 0o755)
    const { directory } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
    chmodSync(dirname(repo.folder), 0o755)
    writeAll(directory, { "work.txt": "the work\n" })
    const pids = join(around, "pids")
    const checking = runCommand(
      `echo hidden-$(cat work.txt); echo $$ > ${pids}; while [ ! -e ${around}/go ]; do sleep 0.1; done; echo over`,
      {
        directory,
        limitMs: 60_000,
        signal: new AbortController().signal,
        env: { ...repo.env, KEY: "the-key" },
      },
    )
    const pid = await poll(
      "the check",
      () => (existsSync(pids) && readFileSync(pids, "utf8").trim()) || undefined,
    )
    const [repository = ""] = readdirSync(repo.folder).filter((name) => !name.startsWith("."))
    const ours = join(repo.folder, repository)
    const process = ["environ", "fd/1", "mem", "maps"].map((name) => `/proc/${pid}/${name}`)
    const lockOfIts = join(ours, ".89abcdef-a.lock")
    const attempts = [
      ...(await them.attempt("read", ...process, repo.folder, ours, directory, join(directory, "work.txt"))),
      ...(await them.attempt("remove", join(directory, "work.txt"), join(ours, "89abcdef-a.json"))),
      ...(await them.attempt("write", join(directory, "planted.txt"), "theirs")),
      ...(await them.attempt("write", lockOfIts, pid)),
      ...(await them.attempt("link", "/etc", join(directory, "link"))),
      ...(await them.attempt("signal", pid)),
    ]
    expect(new Set(attempts)).toEqual(new Set(["EACCES", "EPERM"]))
    const seen = (await them.attempt("watch")).join("\n")
    expect(seen).toContain("cat work.txt")
    for (const hidden of ["the-key", "hidden-the work"]) expect(seen).not.toContain(hidden)
    writeFileSync(join(around, "go"), "")
    expect(await checking).toEqual({ exitCode: 0, output: "hidden-the work\nover" })
    expect(readdirSync(directory).sort()).toEqual([".git", "a.txt", "work.txt"])
    expect((await repo.worktrees.seal(directory, "the work")).files).toBe(1)
  })
})
