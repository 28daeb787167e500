import type { List, Listed, WorktreeState } from "../../plugin/worktrees/list.ts"
import { columnsOf, fitted } from "../../util/columns.ts"
import { counted } from "../../util/counted.ts"
import { visibleLine } from "../../util/visible.ts"
import type { Colours } from "./colours.ts"
import { padded, wrapped } from "./lines.ts"
import { ageOf, insidersOf, isInUse, runnerOf, sizeOf, stateOf } from "./words.ts"

export type Look = {
  colours: Colours
  /** Columns. */
  width: number
  /** Milliseconds since 1970. */
  now: number
}

/** Columns of a job's name; the whole of a longer one is in the name of its branch, or for --json. */
const mostOfName = 24

/** Columns of what is said of a worktree: of the longest label, and of all that stands before a fact. */
const longestLabel = "branch".length
const indent = 4 + longestLabel + 2

/** All worktrees, those of a project together. */
export async function listing({ worktrees, unknown, remains }: List, look: Look): Promise<string> {
  const { colours, width } = look
  const rows = worktrees.map((worktree) => rowOf(worktree, look))
  const widths = {
    job: widest(rows.map(({ job }) => job)),
    age: widest(rows.map(({ age }) => age)),
    size: widest(rows.map(({ size }) => size)),
  }
  const blocks: string[] = []
  for (const project of new Set(worktrees.map(({ project }) => project))) {
    const theirs = rows.filter(({ worktree }) => worktree.project === project)
    const shown = await Promise.all(theirs.map((row) => blockOf(row, widths, look)))
    blocks.push(`${[colours.bold(visibleLine(project)), ...shown.flat()].join("\n")}\n`)
  }
  if (unknown.length > 0) blocks.push(named("Not of a job, and left alone:", unknown))
  if (remains.length > 0)
    blocks.push(named("Left over from removed worktrees; --tidy tries to remove them again:", remains))
  const advice = adviceOn(worktrees)
  if (advice !== "") blocks.push(`${wrapped(advice, width).map(colours.dim).join("\n")}\n`)
  return blocks.join("\n")
}

const named = (title: string, folders: readonly string[]) =>
  `${[title, ...folders.map((each) => `  ${visibleLine(each)}`)].join("\n")}\n`

type Row = { worktree: Listed; job: string; age: string; size: string }
type Widths = Record<"job" | "age" | "size", number>

function rowOf(worktree: Listed, { now }: Look): Row {
  return {
    worktree,
    job: fitted(visibleLine(worktree.job), mostOfName, "start"),
    age: ageOf(worktree.madeAt, now),
    size: sizeOf(worktree.bytes),
  }
}

const widest = (texts: string[]) => Math.max(0, ...texts.map(columnsOf))

async function blockOf({ worktree, job, age, size }: Row, widths: Widths, look: Look): Promise<string[]> {
  const { colours, width } = look
  const { branch, owner, description, directory, state } = worktree
  const cells = [
    padded(job, widths.job),
    padded(age, widths.age, "right"),
    padded(size, widths.size, "right"),
  ]
  const start = `  ${cells.join("  ")}  `
  const [first = "", ...others] = wrapped(stateOf(worktree), width - columnsOf(start))
  const ink = inkOf(state, look)
  const runner = await runnerOf(worktree)
  const users = [...(await insidersOf(worktree)), ...(runner === undefined ? [] : [runner])]
  const facts: [string, string][] = [
    ...(description === undefined
      ? []
      : [["task", fitted(visibleLine(description), width - indent, "start")] satisfies [string, string]]),
    ["branch", visibleLine(branch)],
    ["owner", visibleLine(owner)],
    ...users.map((user): [string, string] => ["used", user]),
    ["folder", visibleLine(directory)],
  ]
  return [
    start + ink(first),
    ...others.map((line) => " ".repeat(columnsOf(start)) + ink(line)),
    ...facts.map(([name, fact]) => `    ${colours.dim(padded(name, longestLabel))}  ${fact}`),
  ]
}

function inkOf({ type }: WorktreeState, { colours }: Look): (text: string) => string {
  switch (type) {
    case "clean":
      return colours.green
    case "holding":
      return colours.yellow
    case "halfMade":
      return colours.dim
    case "forgotten":
    case "unreadable":
      return colours.red
  }
}

/** What may be done about them. */
function adviceOn(worktrees: readonly Listed[]): string {
  const isEmpty = ({ state }: Listed) => state.type === "clean" || state.type === "halfMade"
  const free = worktrees.filter((each) => isEmpty(each) && !isInUse(each))
  const parts = [
    ...(free.length > 0
      ? [
          `${counted(free.length, "worktree")} can go without a loss: --tidy removes ${free.length === 1 ? "it" : "them"}.`,
        ]
      : []),
    ...(worktrees.some(({ state }) => state.type === "holding" || state.type === "forgotten")
      ? ["What holds something stays until it is discarded: --discard BRANCH."]
      : []),
  ]
  return parts.join(" ")
}
