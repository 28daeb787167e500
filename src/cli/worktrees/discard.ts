import { realpath } from "node:fs/promises"
import { resolve, sep } from "node:path"
import type { Discard } from "../../plugin/worktrees/discard.ts"
import { type Holdings, isClean } from "../../plugin/worktrees/holdings.ts"
import type { Listed } from "../../plugin/worktrees/list.ts"
import type { Worktrees } from "../../plugin/worktrees/worktrees.ts"
import { quoted } from "../../util/own-command.ts"
import { visibleLine } from "../../util/visible.ts"
import { printedJson } from "../json.ts"
import type { Surroundings } from "../surroundings.ts"
import { wrapped } from "./lines.ts"
import type { Look } from "./listing.ts"
import { counted, insidersOf, makerOf, sinceOf, stateOf } from "./words.ts"

export type DiscardRequest = {
  /** A branch, or a folder in a worktree. */
  which: string
  isAsked: boolean
  isJson: boolean
  worktrees: Pick<Worktrees, "prepareDiscard">
  /** All that there are. */
  listed: readonly Listed[]
  look: Look
  surroundings: Surroundings
}

/** What is to be typed. */
const confirmation = "discard"

/** Removes a worktree with all that it holds, once a person has seen what that is. @returns the exit code */
export async function discard(request: DiscardRequest): Promise<number> {
  const { which, isAsked, isJson, worktrees, listed, look, surroundings } = request
  const { write, complain, ask } = surroundings
  const refuse = (text: string) => {
    complain(`${wrapped(text, look.width).join("\n")}\n`)
    return 1
  }
  const found = await matching(listed, which)
  const [worktree, another] = found
  if (!worktree) return refuse(`No worktree of a job has the branch or the folder ${visibleLine(which)}.`)
  if (another) return refuse(severalAre(which, found))
  const refusal = await refusalFor(worktree)
  if (refusal !== undefined) return refuse(refusal)

  const { owner, directory, project, branch } = worktree
  const prepared = await worktrees.prepareDiscard({ directory, owner })
  if (!isJson) write(await account(worktree, prepared, look))
  if (isAsked && (await ask(`Type ${confirmation} to go on: `))?.trim() !== confirmation) {
    return refuse("Nothing was discarded.")
  }
  await prepared.remove()
  if (isJson) write(printedJson({ discarded: { branch, directory, project, loss: prepared.loss } }))
  else write(`${look.colours.green("Discarded.")}\n${wayBack(worktree, prepared.loss)}`)
  return 0
}

async function matching(worktrees: readonly Listed[], which: string): Promise<Listed[]> {
  const path = resolve(which)
  const real = await realpath(path).catch(() => path)
  const isIn = (directory: string) => real === directory || real.startsWith(directory + sep)
  return worktrees.filter(({ branch, directory }) => branch === which || isIn(directory))
}

const severalAre = (which: string, found: readonly Listed[]) =>
  `${counted(found.length, "worktree")} have the branch ${visibleLine(which)}. Say which by its folder: ${found
    .map(({ directory }) => visibleLine(directory))
    .join(" or ")}`

/** Why it is not to be discarded, whatever anybody says. */
async function refusalFor(worktree: Listed): Promise<string | undefined> {
  const { branch, processes, maker, state, directory } = worktree
  const name = visibleLine(branch)
  if (state.type === "halfMade") {
    return maker === undefined
      ? `${name} is half made and holds nothing: --tidy removes it.`
      : `${name} is just being made by process ${maker}.`
  }
  if (state.type === "unreadable") {
    const folder = visibleLine(directory)
    return `${name}: it ${stateOf(worktree)}. Nobody can tell what would be lost. Look into ${folder}; if nothing there is needed, remove it, and ${folder}.json with it.`
  }
  if (processes.length > 0) {
    const insiders = await insidersOf(worktree)
    return `${name} is in use: ${insiders.join(", ")}. End that first, or have it leave the folder.`
  }
  return undefined
}

/** Names of one kind that are shown; what is left out is said. */
const mostNames = 20

/** What it is, and what would be lost with it. */
async function account(worktree: Listed, { loss }: Discard, look: Look): Promise<string> {
  const { branch, job, owner, project, directory, madeAt } = worktree
  const { bold, yellow } = look.colours
  const maker = await makerOf(worktree)
  const lines = [
    bold(visibleLine(branch)),
    `  job ${visibleLine(job)} of ${visibleLine(owner)}, made ${sinceOf(madeAt, look.now)}`,
    `  of ${visibleLine(project)}`,
    `  in ${visibleLine(directory)}`,
    ...(maker === undefined
      ? []
      : ["", ...wrapped(`${maker}: the job may be under way.`, look.width).map(yellow)]),
    "",
    ...lossOf(loss),
    "",
  ]
  return `${lines.join("\n")}\n`
}

function lossOf(loss: Holdings): string[] {
  if (isClean(loss)) return ["Nothing would be lost."]
  const { commits, files, uncommitted, repositories, ignored } = loss
  return [
    "This would be lost:",
    ...(commits > 0 || files > 0
      ? [`  ${counted(commits, "commit")} with ${counted(files, "changed file")}`]
      : []),
    ...namesOf(uncommitted, counted(uncommitted.length, "uncommitted file")),
    ...namesOf(repositories, counted(repositories.length, "repository", "repositories")),
    ...namesOf(ignored, counted(ignored.length, "ignored file or folder", "ignored files or folders")),
  ]
}

function namesOf(names: readonly string[], title: string): string[] {
  if (names.length === 0) return []
  const left = names.length - mostNames
  return [
    `  ${title}:`,
    ...names.slice(0, mostNames).map((name) => `    ${visibleLine(name)}`),
    ...(left > 0 ? [`    and ${left} more`] : []),
  ]
}

/** How commits can be had back: git keeps them for a while. */
function wayBack({ project, branch }: Listed, { commits, commit }: Holdings): string {
  if (commits === 0 || commit === undefined) return ""
  const command = `git -C ${quoted(project)} branch ${quoted(branch)} ${commit}`
  return `For some weeks this brings its commits back:\n  ${visibleLine(command)}\n`
}
