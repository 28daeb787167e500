import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs"
import { join, relative } from "node:path"
import { expect, it } from "vitest"
import { testRepository, writeAll } from "./support/repository.ts"

const owner = "ses_0123456789abcdef"
const plugin = ".opencode/plugin/evil.ts"

/** A user's project with some configuration of opencode's, and a worktree of a job in it. */
async function withWorktree(links: Record<string, string> = {}, below = "") {
  const repo = testRepository()
  repo.write({
    ".gitignore": "ignored\n",
    ".opencode/agent/mine.md": "mine\n",
    ".opencode/plugin/mine.ts": "mine\n",
    "opencode.json": "{}\n",
    "packages/one/src.ts": "1\n",
    "shared/package.json": "{}\n",
    "shared/plugin/ours.ts": "ours\n",
    "src.ts": "1\n",
  })
  for (const [name, target] of Object.entries(links)) {
    rmSync(join(repo.path, name), { recursive: true, force: true })
    symlinkSync(target, join(repo.path, name))
  }
  repo.commit({})
  const make = (job: string, directory = join(repo.path, below)) =>
    repo.worktrees.make({ directory, owner, job })
  const { directory, base } = await make("a")
  const assure = (commit?: string) =>
    repo.worktrees.assureConfiguration(directory, commit === undefined ? {} : { commit })
  return { repo, directory, base, assure, make, root: below === "" ? directory : join(directory, "../..") }
}

it("What opencode reads may be loaded as its user had it, whatever else a job has changed", async () => {
  const { directory, base, assure } = await withWorktree()
  writeAll(directory, {
    "src.ts": "2\n",
    "AGENTS.md": "text\n",
    ".opencode/AGENTS.md": "text\n",
    ".opencode/CLAUDE.md": "text\n",
    ".opencode/CONTEXT.md": "text\n",
    ".opencode/plan/one.md": "a plan\n",
    ".opencode/plans/one.md": "a plan\n",
    ".opencode/skill/one/SKILL.md": "text\n",
    ".opencode/skills/one/SKILL.md": "text\n",
    "elsewhere/.opencode/plugin/none.ts": "never loaded from here\n",
  })
  expect(await assure()).toBe(base)
})

it.each<[string, string, (root: string) => void]>([
  ["added", plugin, (root) => writeAll(root, { [plugin]: "evil\n" })],
  ["added beside it", "opencode.jsonc", (root) => writeAll(root, { "opencode.jsonc": "{}\n" })],
  // Each defines an agent or a command of that name.
  ...[".opencode/agent/AGENTS.md", ".opencode/commands/in/CLAUDE.md", ".opencode/Mode/CONTEXT.md"].map(
    (name): [string, string, (root: string) => void] => [
      "added with the name of a text",
      name,
      (root) => writeAll(root, { [name]: "---\nmode: primary\n---\n" }),
    ],
  ),
  ["ignored", ".opencode/plugin/ignored", (root) => writeAll(root, { ".opencode/plugin/ignored": "evil\n" })],
  ["changed", "opencode.json", (root) => writeAll(root, { "opencode.json": '{"mcp": {}}\n' })],
  ...["agent/AGENTS.md", "commands/CLAUDE.md", "agents/.opencode/plans/x.md", "plans.md", "my.gitignore"].map(
    (name): [string, string, (root: string) => void] => [
      `put in ${name}, an agent or a command by its place,`,
      `.opencode/${name}`,
      (root) => writeAll(root, { [`.opencode/${name}`]: "evil\n" }),
    ],
  ),
  ["deleted", ".opencode/agent/mine.md", (root) => rmSync(join(root, ".opencode/agent/mine.md"))],
  [
    "renamed",
    plugin,
    (root) => renameSync(join(root, ".opencode/plugin/mine.ts"), join(root, ".opencode/plugin/evil.ts")),
  ],
  [
    "in a folder that became a link",
    ".opencode",
    (root) => {
      writeAll(root, { "evil/plugin/mine.ts": "mine\n" })
      rmSync(join(root, ".opencode"), { recursive: true })
      symlinkSync("evil", join(root, ".opencode"))
    },
  ],
  [
    "put in place of what leads to the repository",
    ".git",
    (root) => writeAll(root, { ".git": "gitdir: evil\n" }),
  ],
  [
    "added to what leads to the repository",
    ".git",
    (root) => appendFileSync(join(root, ".git"), "elsewhere\n"),
  ],
  ["deleted of what leads to the repository", ".git", (root) => rmSync(join(root, ".git"))],
  [
    "linked in place of what leads to the repository",
    ".git",
    (root) => {
      renameSync(join(root, ".git"), join(root, "kept"))
      symlinkSync("kept", join(root, ".git"))
    },
  ],
  [
    "in another repository",
    ".opencode/tool/",
    (root) => {
      mkdirSync(join(root, ".opencode/tool/.git/objects"), { recursive: true })
      mkdirSync(join(root, ".opencode/tool/.git/refs"))
      writeAll(root, {
        ".opencode/tool/.git/HEAD": "ref: refs/heads/main\n",
        ".opencode/tool/x.ts": "evil\n",
      })
    },
  ],
])("What a job has %s is named, and not loaded", async (_, name, change) => {
  const { root, assure } = await withWorktree()
  change(root)
  await expect(assure()).rejects.toMatchObject({
    kind: "configuration",
    message: expect.stringContaining(`a has changed opencode's own configuration (`),
  })
  await expect(assure()).rejects.toThrow(JSON.stringify(name))
})

it("A worktree may say by a relative path where its repository is, as git can be told to write it", async () => {
  const { root, assure, base } = await withWorktree()
  const gitDir = readFileSync(join(root, ".git"), "utf8").replace(/^gitdir: (.*)\n$/, "$1")
  writeAll(root, { ".git": `gitdir: ${relative(root, gitDir)}\n` })
  expect(await assure()).toBe(base)
})

it("What a job has committed is named before any worktree has it", async () => {
  const { repo, directory, base, assure, make } = await withWorktree()
  writeAll(directory, { [plugin]: "evil\n" })
  const { commit } = await repo.worktrees.seal(directory, "the end")
  await expect(assure(commit)).rejects.toThrow(JSON.stringify(plugin))
  expect(await assure(base)).toBe(base)
  // A job of its own child, which would start from its files.
  await expect(make("inner", directory)).rejects.toMatchObject({ kind: "configuration" })
})

it("All that opencode reads on its way up is looked at, where its user works below the top", async () => {
  for (const name of [
    "packages/one/opencode.json",
    "packages/.opencode/tool/x.ts",
    "packages/one/.git",
    "packages/.git/config",
    plugin,
  ]) {
    const { root, assure } = await withWorktree({}, "packages/one")
    await assure()
    writeAll(root, { [name]: "evil\n" })
    await expect(assure()).rejects.toThrow(JSON.stringify(name.replace(/\.git\/.*/, ".git")))
  }
})

it("A link in place of the folder in which opencode works is not followed", async () => {
  const { root, assure } = await withWorktree({}, "packages/one")
  writeAll(root, { "evil/one/.opencode/plugin/evil.ts": "evil\n" })
  rmSync(join(root, "packages"), { recursive: true })
  symlinkSync("evil", join(root, "packages"))
  await expect(assure()).rejects.toThrow('"packages/one"')
})

it("Where a link of the user's leads, within the project, is looked at too", async () => {
  const { root, assure } = await withWorktree({ ".opencode": "shared" })
  await assure()
  expect(existsSync(join(root, "shared/package.json"))).toBe(true)
  for (const name of ["shared/plugin/ours.ts", "shared/agent/AGENTS.md"]) {
    writeAll(root, { [name]: "evil\n" })
    await expect(assure()).rejects.toThrow(JSON.stringify(name))
  }
})

it("Where a link leads to another link, or to the top, all that it leads to is looked at", async () => {
  const chained = await withWorktree({ ".opencode": "config", config: "shared" })
  await chained.assure()
  writeAll(chained.root, { "shared/plugin/ours.ts": "evil\n" })
  await expect(chained.assure()).rejects.toThrow('"shared/plugin/ours.ts"')

  const wide = await withWorktree({ ".opencode/agent/top": "../.." })
  await wide.assure()
  writeAll(wide.root, { "src.ts": "evil\n" })
  await expect(wide.assure()).rejects.toThrow('"src.ts"')
  const { commit } = await wide.repo.worktrees.seal(wide.root, "the end")
  await expect(wide.assure(commit)).rejects.toThrow('"src.ts"')
})

it("Where a link leads to something below another link, that alone is looked at", async () => {
  const { root, assure, base } = await withWorktree({ ".opencode": "around/plugin", around: "shared" })
  writeAll(root, { "shared/other.ts": "2\n" })
  expect(await assure()).toBe(base)
  writeAll(root, { "shared/plugin/ours.ts": "evil\n" })
  await expect(assure()).rejects.toThrow('"shared/plugin/ours.ts"')
})

it("A link of the user's that leads in a circle, or out of the project, is no reason to refuse", async () => {
  const { assure, base, root } = await withWorktree({
    ".opencode/agent/loop": "loop/x",
    ".opencode/agent/out": "../../../outside",
    ".opencode/agent/top": "../../..",
    "opencode.json": "/shared",
  })
  // Not where such a link leads.
  writeAll(root, { "shared/plugin/ours.ts": "2\n" })
  expect(await assure()).toBe(base)
})

it("A circle of links whose way grows with each turn has an end", async () => {
  const { assure, base } = await withWorktree({ ".opencode": "around/x", around: "around/on" })
  expect(await assure()).toBe(base)
})

it("What opencode installs itself goes, as a job may have changed it, but nothing through a link", async () => {
  const { root, assure } = await withWorktree()
  const files = ["package.json", "package-lock.json", "bun.lock", "bun.lockb", "node_modules/x/index.js"]
  writeAll(root, { "kept/index.js": "kept\n", ".opencode/.gitignore": "node_modules\n" })
  for (const name of files) writeAll(root, { [`.opencode/${name}`]: "evil\n" })
  symlinkSync("../../kept", join(root, ".opencode/node_modules/link"))
  await assure()
  expect(readdirSync(join(root, ".opencode")).sort()).toEqual([".gitignore", "agent", "plugin"])
  expect(existsSync(join(root, "kept/index.js"))).toBe(true)
})

it("What its user has committed of what opencode installs stays, and is looked at", async () => {
  const repo = testRepository()
  repo.commit({ ".opencode/package.json": "{}\n", "packages/.opencode/bun.lock": "1\n" })
  const { directory, base } = await repo.worktrees.make({ directory: repo.path, owner, job: "a" })
  expect(await repo.worktrees.assureConfiguration(directory, {})).toBe(base)
  expect(existsSync(join(directory, ".opencode/package.json"))).toBe(true)
  writeAll(directory, { ".opencode/package.json": '{"dependencies": {"evil": "1"}}\n' })
  await expect(repo.worktrees.assureConfiguration(directory, {})).rejects.toThrow('".opencode/package.json"')
})

it("A job that starts from another one has the configuration that the first one's user had", async () => {
  const { repo, directory, base, assure, make } = await withWorktree()
  writeAll(directory, { "src.ts": "2\n", ".opencode/AGENTS.md": "text\n" })
  const { commit } = await repo.worktrees.seal(directory, "the end")
  repo.commit({ "opencode.json": '{"model": "x/y"}\n' })
  const next = await make("b")
  const origin = await assure(commit)
  await repo.worktrees.startFrom(next.directory, commit, { origin })
  expect(await repo.worktrees.assureConfiguration(next.directory, {})).toBe(base)
})
