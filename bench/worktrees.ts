import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createWorktrees } from "../src/plugin/worktrees/worktrees.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import { alternate } from "./alternate.ts"
import type { Part } from "./part.ts"
import { medianRow, ratios } from "./statistics.ts"

const files = 10_000
const bound = 1.2

/** What a job's worktree costs beside one that git makes and removes by itself. Milliseconds. */
type Costs = { making: number; ending: number }

/**
 * A worktree of a large repository in which one file is changed: made and, once a file was changed in it, ended by us
 * and by git alone, which carries over and commits nothing.
 */
export const benchWorktrees: Part = async (bench) => {
  const folder = tempFolder("bench-worktrees")
  const home = join(folder.path, "home")
  const project = join(folder.path, "project")
  const env = { PATH: process.env.PATH, HOME: home, GIT_CONFIG_NOSYSTEM: "1" }
  const git = (...args: string[]) => execFileSync("git", args, { cwd: project, env, stdio: "pipe" })
  mkdirSync(home)
  writeFileSync(join(home, ".gitconfig"), "[user]\n\tname = Bench\n\temail = bench@example.com\n")
  writeFiles(project)
  git("init", "--quiet")
  git("add", "--all")
  git("commit", "--quiet", "-m", `${files} files`)
  writeFileSync(join(project, "folder0", "file0.txt"), "changed\n")

  const worktrees = createWorktrees({ folder: join(folder.path, "worktrees"), env })
  let round = 0
  const ours = async (): Promise<Costs> => {
    const [owner, job] = ["ses_bench", `job${round++}`]
    const began = performance.now()
    const { directory } = await worktrees.make({ directory: project, owner, job })
    const made = performance.now()
    writeFileSync(join(directory, "folder1", "file0.txt"), "changed\n")
    const ending = performance.now()
    await worktrees.seal(directory, "the end")
    await (await worktrees.prepareDiscard({ directory, owner })).remove()
    return { making: made - began, ending: performance.now() - ending }
  }
  const plain = async (): Promise<Costs> => {
    const [branch, directory] = [`plain${round}`, join(folder.path, `plain${round++}`)]
    const began = performance.now()
    git("worktree", "add", "--quiet", "-b", branch, directory)
    const made = performance.now()
    writeFileSync(join(directory, "folder1", "file0.txt"), "changed\n")
    const ending = performance.now()
    git("worktree", "remove", "--force", directory)
    git("branch", "--quiet", "-D", branch)
    return { making: made - began, ending: performance.now() - ending }
  }
  try {
    const measured = await alternate(bench, { ours, plain })
    const of = (what: (costs: Costs) => number) =>
      [measured.ours.map(what), measured.plain.map(what)] as const
    const both = of(({ making, ending }) => making + ending)
    const name = `a worktree of ${files.toLocaleString("en")} files`
    const unit = "ms"
    return [
      medianRow(`${name}, made and ended / by git alone`, ratios(...both), { unit: "×", bound }),
      medianRow(`${name}, made / by git alone`, ratios(...of(({ making }) => making)), { unit: "×", bound }),
      medianRow(`${name}, ended / by git alone`, ratios(...of(({ ending }) => ending)), { unit: "×" }),
      medianRow(
        `${name}, made`,
        measured.ours.map(({ making }) => making),
        { unit },
      ),
      medianRow(
        `${name}, committed and discarded`,
        measured.ours.map(({ ending }) => ending),
        { unit },
      ),
    ]
  } finally {
    folder.remove()
  }
}

function writeFiles(project: string): void {
  const perFolder = 100
  for (let folder = 0; folder < files / perFolder; folder++) {
    const path = join(project, `folder${folder}`)
    mkdirSync(path, { recursive: true })
    for (let file = 0; file < perFolder; file++) {
      writeFileSync(join(path, `file${file}.txt`), `${folder} ${file}\n`.repeat(40))
    }
  }
}
