import { realpath } from "node:fs/promises"
import { resolve, sep } from "node:path"
import { type Holdings, isClean } from "../../plugin/worktrees/holdings.ts"
import { isUnderWay, type Listed } from "../../plugin/worktrees/list.ts"
import { type Remains, remainsWords } from "../../plugin/worktrees/removal.ts"
import { whileKept } from "../../plugin/worktrees/way-back.ts"
import type { Worktrees } from "../../plugin/worktrees/worktrees.ts"
import { counted } from "../../util/counted.ts"
import { quoted } from "../../util/own-command.ts"
import { visibleLine } from "../../util/visible.ts"
import { printedJson } from "../json.ts"
import type { Surroundings } from "../surroundings.ts"
import { wrapped } from "./lines.ts"
import type { Look } from "./listing.ts"
import { insidersOf, runnerOf, sinceOf, stateOf } from "./words.ts"

export type DiscardRequest = {
  /** A branch, a folder in a worktree, or the id of a job. */
  which: string
  isAsked: boolean
  isJson: boolean
  worktrees: Pick<Worktrees, "prepareDiscard" | "prepareForgotten">
  /** All that there are. */
  listed: readonly Listed[]
  look: Look
  surroundings: Surroundings
}

/** What is to be typed. */
const confirmation = "discard"

/** Removes a worktree with all that it holds, once a person has seen what that is. @returns the exit code */
export async function discard(request: DiscardRequest): Promise<number> {
  const { which, isAsked, isJson, listed, look, surroundings } = request
  const { write, complain, ask } = surroundings
  const refuse = (text: string) => {
    complain(`${wrapped(text, look.width).join("\n")}\n`)
    return 1
  }
  const found = await matching(listed, which)
  const [worktree, another] = found
  if (!worktree) return refuse(`No worktree has the branch, the folder or the job ${visibleLine(which)}.`)
  if (another) {
    complain(severalAre(which, found))
    return 1
  }
  const refusal = await refusalFor(worktree)
  if (refusal !== undefined) return refuse(refusal)

  const { directory, project, branch } = worktree
  const { loss, words, remove } = await preparedFor(worktree, request)
  if (!isJson) write(await account(worktree, words, look))
  if (isAsked && (await ask(`Type ${confirmation} to go on: `))?.trim() !== confirmation) {
    return refuse("Nothing was discarded.")
  }
  const remains = await remove()
  if (isJson)
    write(printedJson({ discarded: { branch, directory, project, loss, ...(remains && { remains }) } }))
  else write(`${look.colours.green("Discarded.")}\n${"commits" in loss ? wayBack(worktree, loss) : ""}`)
  return remains ? refuse(visibleLine(remainsWords(remains))) : 0
}

type Prepared = {
  /** Of what git does not know, only how many files are in it. */
  loss: Holdings | { files: number }
  /** What is said of it, in lines. */
  words: string[]
  remove(): Promise<Remains | undefined>
}

async function preparedFor(
  { state, directory, owner }: Listed,
  { worktrees, look }: DiscardRequest,
): Promise<Prepared> {
  if (state.type !== "forgotten") {
    const { loss, remove } = await worktrees.prepareDiscard({ directory, owner })
    return { loss, words: lossOf(loss), remove }
  }
  const { files, remove } = await worktrees.prepareForgotten(directory)
  const words =
    `git does not know this worktree: ${visibleLine(state.why)}. ` +
    (files === 0
      ? "It has no files to lose, and nothing is changed in its repository."
      : `So nothing can be said about which of the ${counted(files, "file")} in its folder would be lost for good.`)
  return { loss: { files }, words: wrapped(words, look.width), remove }
}

/** A branch or a folder comes first: several jobs may have the same id. */
async function matching(worktrees: readonly Listed[], which: string): Promise<Listed[]> {
  const path = resolve(which)
  const real = await realpath(path).catch(() => path)
  const isIn = (directory: string) => real === directory || real.startsWith(directory + sep)
  const named = worktrees.filter(({ branch, directory }) => branch === which || isIn(directory))
  return named.length > 0 ? named : worktrees.filter(({ job }) => job === which)
}

function severalAre(which: string, found: readonly Listed[]): string {
  const branches = new Set(found.map(({ branch }) => branch))
  const [name, names] =
    branches.size === found.length
      ? ["branch", [...branches]]
      : ["folder", found.map(({ directory }) => directory)]
  const lines = names.map((each) => `  ${visibleLine(each)}\n`)
  return `${counted(found.length, "worktree")} match ${visibleLine(which)}. Give the ${name} of the one that you mean:\n${lines.join("")}`
}

/** Why it must not be discarded, whatever anybody says. */
async function refusalFor(worktree: Listed): Promise<string | undefined> {
  const { branch, processes, maker, state, directory } = worktree
  const name = visibleLine(branch)
  if (state.type === "halfMade") {
    return isUnderWay(worktree)
      ? `${name} is just being made by process ${maker}.`
      : `${name} is half made and holds nothing: --tidy removes it.`
  }
  if (state.type === "unreadable") {
    const folder = visibleLine(directory)
    return `${name} ${stateOf(worktree)}. So nothing can be said about what would be lost. If you need nothing from ${folder}, delete that folder and ${folder}.json yourself.`
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
async function account(worktree: Listed, loss: readonly string[], look: Look): Promise<string> {
  const { branch, job, owner, description, project, directory, madeAt } = worktree
  const { bold, yellow } = look.colours
  const runner = await runnerOf(worktree)
  const lines = [
    bold(visibleLine(branch)),
    `  job ${visibleLine(job)} of ${visibleLine(owner)}, made ${sinceOf(madeAt, look.now)}`,
    ...(description === undefined ? [] : [`  ${visibleLine(description)}`]),
    `  of ${visibleLine(project)}`,
    `  in ${visibleLine(directory)}`,
    ...(runner === undefined ? [] : ["", ...wrapped(`It is in use: ${runner}.`, look.width).map(yellow)]),
    "",
    ...loss,
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

/** How to restore its commits: git keeps them for a while. */
function wayBack({ project, branch }: Listed, { commits, commit }: Holdings): string {
  if (commits === 0 || commit === undefined) return ""
  const command = `git -C ${quoted(project)} branch ${quoted(branch)} ${commit}`
  return `This restores its commits ${whileKept}:\n  ${visibleLine(command)}\n`
}
