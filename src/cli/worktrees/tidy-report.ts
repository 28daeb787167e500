import type { Listed } from "../../plugin/worktrees/list.ts"
import { remainsWords } from "../../plugin/worktrees/removal.ts"
import type { Tidied } from "../../plugin/worktrees/tidy.ts"
import { counted } from "../../util/counted.ts"
import { visibleLine } from "../../util/visible.ts"
import { wrapped } from "./lines.ts"
import type { Look } from "./listing.ts"
import { sizeOf } from "./words.ts"

/** What was removed, and why the others are still there. */
export function tidyReport({ removed, kept, failed, remains }: Tidied, look: Look): string {
  const { green, red } = look.colours
  const bytes = removed.reduce((sum, worktree) => sum + worktree.bytes, 0)
  const size = removed.length > 0 ? `, ${sizeOf(bytes)}` : ""
  const lines = [
    green(`Removed ${counted(removed.length, "worktree")}${size}.`),
    ...removed.map(nameOf),
    ...(kept.length > 0 ? ["", `Kept ${kept.length}.`] : []),
    ...kept.flatMap((each) => reasoned(each, look)),
    ...(failed.length > 0 ? ["", red(`Could not remove ${failed.length}.`)] : []),
    ...failed.flatMap((each) => reasoned(each, look)),
    ...remains.flatMap((each) => ["", ...wrapped(visibleLine(remainsWords(each)), look.width).map(red)]),
  ]
  return `${lines.join("\n")}\n`
}

const nameOf = ({ branch }: Listed) => `  ${visibleLine(branch)}`

const reasoned = ({ worktree, why }: Tidied["kept"][number], { colours, width }: Look) => [
  nameOf(worktree),
  ...wrapped(visibleLine(why), width - 4).map((line) => `    ${colours.dim(line)}`),
]
