import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Generation, nameOf } from "../test/support/any-opencode.ts"
import type { Row } from "./part.ts"
import { isBroken, type Results, shownNumber, titleOf } from "./report.ts"

const page = join(import.meta.dirname, "..", "docs", "benchmarks.md")

/**
 * Writes those tables of docs/benchmarks.md for which everything was measured, each between `<!-- bench:NAME -->` and
 * `<!-- bench:end -->`. Returns their names.
 */
export function writeTables(results: Results): string[] {
  const before = readFileSync(page, "utf8")
  const written: string[] = []
  let text = before
  for (const [name, { parts, lines }] of Object.entries(tables)) {
    if (!parts.every((part) => part in results)) continue
    const block = new RegExp(`(<!-- bench:${name} -->\\n)[\\s\\S]*?(\\n<!-- bench:end -->)`)
    if (!block.test(text)) throw new Error(`docs/benchmarks.md has no place for the table ${name}`)
    text = text.replace(block, (_, begin, end) => `${begin}${lines(results).join("\n")}${end}`)
    written.push(name)
  }
  if (text !== before) writeFileSync(page, text)
  return written
}

const both: Generation[] = [1, 2]
const ofBoth = (...names: string[]) => names.flatMap((name) => both.map((each) => titleOf(name, each)))
const own = (generation: Generation) => (generation === 1 ? "task" : "subagent")

const tables: Record<string, { parts: string[]; lines(results: Results): string[] }> = {
  opencode: {
    parts: ofBoth("fan-out", "wait-latency", "owner-turns", "request-bytes", "start-up"),
    lines: (results) => [
      "| | opencode 1.18 | opencode 2 | bound |",
      "| --- | --: | --: | --: |",
      ...figures.map(({ label, part, names, bound }) => {
        const cells = both.map((generation) => {
          const rows = names.map((name) => rowOf(results, titleOf(part, generation), name))
          return rows.map(shown).join("; ")
        })
        return `| ${[label, ...cells, bound].join(" | ")} |`
      }),
    ],
  },
  once: {
    parts: ["actor-cost", "inspector", "worktrees"],
    lines: (results) => [
      "| | figure | bound |",
      "| --- | --: | --: |",
      ...onceFigures.map(({ label, part, names, bound }) => {
        const rows = names.map((name) => rowOf(results, part, name))
        return `| ${[label, rows.map(shown).join("; "), bound].join(" | ")} |`
      }),
    ],
  },
  peers: {
    parts: ofBoth("peers", "kept-texts"),
    lines: (results) => [
      "| | wall time | opencode-troupe ÷ this | requests of the main agent's model | sent to all models | text of a failed job; of a stopped one |",
      "| --- | --: | --: | --: | --: | --: |",
      ...both.flatMap((generation) => [
        peerLine(
          results,
          generation,
          "plugin, one call",
          `**${nameOf(generation)}**: opencode-troupe, \`wait: true\`; the main agent waits meanwhile`,
        ),
        peerLine(
          results,
          generation,
          `${own(generation)}, parallel calls`,
          `\`${own(generation)}\`, parallel calls; the main agent waits meanwhile`,
          "plugin, one call",
        ),
        peerLine(results, generation, "plugin", "opencode-troupe, in the background, then `agents_wait`"),
        peerLine(
          results,
          generation,
          `${own(generation)}, in the background`,
          `\`${own(generation)}\`, in the background`,
          "plugin",
        ),
      ]),
    ],
  },
}

type Figure = { label: string; part: string; names: string[]; bound: string }

const fanOut = "20 jobs, 300 ms model: plugin"

const figures: Figure[] = [
  {
    label: "20 jobs with a 300 ms model, relative to 20 bare calls of opencode in parallel",
    part: "fan-out",
    names: [`${fanOut} / bare calls, same opencode`],
    bound: "1.10 ×",
  },
  {
    label: "the same, without the main agent's step in between, which bare calls do not have",
    part: "fan-out",
    names: [`${fanOut} less its owner's step / bare calls, same opencode`],
    bound: "1.10 ×",
  },
  {
    label: "CPU time of opencode for these 20 jobs, relative to the bare calls",
    part: "fan-out",
    names: [`${fanOut} / bare calls, same opencode, CPU time of opencode`],
    bound: "1.10 ×",
  },
  {
    label: "the same, without the main agent's own turn, which bare calls do not have",
    part: "fan-out",
    names: [`${fanOut} less its owner's turn / bare calls, same opencode, CPU time of opencode`],
    bound: "",
  },
  { label: "`agents_start` of three jobs", part: "fan-out", names: ["agents_start of 3 jobs"], bound: "1 s" },
  {
    label: "from the last child's last message to the return of `agents_wait`, of 8 jobs",
    part: "wait-latency",
    names: ["last child's last message → return of agents_wait, 8 jobs"],
    bound: "50 ms (1.18), 20 ms (2)",
  },
  {
    label: "turns of the main agent for 8 jobs that end one by one over a minute, without `agents_wait`",
    part: "owner-turns",
    names: ["turns of an owner for 8 jobs that end one by one over a minute"],
    bound: "2",
  },
  {
    label:
      "bytes added to a request of the main agent's model; to a child's request, compared with opencode's own subagent",
    part: "request-bytes",
    names: [
      "added to a request of a main agent",
      "added to a request of a child, beside one of opencode's own",
    ],
    bound: "3,600 (main agent), 0 (child)",
  },
  {
    label: "added to opencode's startup",
    part: "start-up",
    names: ["added to the start of opencode"],
    bound: "60 ms",
  },
]

const onceFigures: Figure[] = [
  {
    label: "cost of the 20,000th job relative to the 100th (Node; opencode's Bun)",
    part: "actor-cost",
    names: [
      "a job after 20,000 / after 100 (Node, one owner)",
      "a job after 20,000 / after 100 (Bun, one owner)",
    ],
    bound: "1.20 ×",
  },
  {
    label: "the same with 1,000 owners",
    part: "actor-cost",
    names: [
      "a job after 20,000 / after 100 (Node, owners of 20 jobs)",
      "a job after 20,000 / after 100 (Bun, owners of 20 jobs)",
    ],
    bound: "1.20 ×",
  },
  {
    label: "a job of 500 in a graph of depth 10, relative to one of 500 that need nothing (Node; Bun)",
    part: "actor-cost",
    names: ["Node", "Bun"].map(
      (where) => `a job of 500 in a graph of depth 10 / of 500 that need nothing (${where}, one owner)`,
    ),
    bound: "1.20 ×",
  },
  {
    label: "a worktree of 10,000 files, made and ended, relative to git alone; only made",
    part: "worktrees",
    names: [
      "a worktree of 10,000 files, made and ended / by git alone",
      "a worktree of 10,000 files, made / by git alone",
    ],
    bound: "1.20 ×",
  },
  {
    label: "bytes of the inspector's page, gzipped",
    part: "inspector",
    names: ["the page, gzipped, in all"],
    bound: "61,440",
  },
  {
    label: "first job on the inspector's page, of 5,000",
    part: "inspector",
    names: ["first job on the page, of 5,000"],
    bound: "1,000 ms",
  },
  {
    label: "the longest task of the page while somebody types and scrolls in 5,000 jobs, CPU time",
    part: "inspector",
    names: ["the longest task while somebody types and scrolls in 5,000 jobs, CPU time"],
    bound: "50 ms",
  },
  {
    label: "a frame while scrolling 10,000 jobs with 200 changes a second, 95th percentile",
    part: "inspector",
    names: ["a frame while 10,000 jobs scroll at 200 changes/s, 95th percentile"],
    bound: "20 ms",
  },
  {
    label: "from a transition to the page",
    part: "inspector",
    names: ["from a transition to the page"],
    bound: "200 ms",
  },
  {
    label: "bytes of memory for a stalled client of the inspector, in opencode's Bun",
    part: "inspector",
    names: ["what a client that never reads costs (opencode's Bun)"],
    bound: "1,000,000",
  },
  {
    label: "a job with an inspector that nobody has open, relative to one without (Node; Bun)",
    part: "inspector",
    names: ["Node", "opencode's Bun"].map(
      (where) => `an actor's job with an inspector that nobody looks at / without one (${where})`,
    ),
    bound: "1.05 ×",
  },
]

/** @param ours what of the plugin's it is compared with */
function peerLine(
  results: Results,
  generation: Generation,
  who: string,
  label: string,
  ours?: "plugin" | "plugin, one call",
): string {
  const part = titleOf("peers", generation)
  const [wall = "", ...rest] = ["wall time", "requests of the owner's model", "sent to the models"].map(
    (what) => shown(rowOf(results, part, `8 jobs of 0.3 to 2.4 s, ${who}: ${what}`)),
  )
  const ratio = ours ? shown(rowOf(results, part, `${ours} / ${who}: wall time`)) : ""
  const [tool = who] = who.split(",")
  const kept = ["failed", "stopped"].map((end) => {
    const name = `that a ${end} job had written, given to its owner: ${tool}`
    const row = (results[titleOf("kept-texts", generation)] ?? []).find((each) => each.name.endsWith(name))
    return row && row.value > 0 ? "all" : "none"
  })
  return `| ${[label, wall, ratio, ...rest, kept.join("; ")].join(" | ")} |`
}

function rowOf(results: Results, part: string, name: string): Row {
  const row = results[part]?.find((each) => each.name === name)
  if (!row) throw new Error(`${part} has no figure "${name}"`)
  return row
}

/** The median, and of what may vary the smallest and the largest. */
function shown(row: Row): string {
  const { value, unit, range } = row
  const unitShown = unit === "calls" || unit === "bytes" ? "" : ` ${unit}`
  const [low, high] = (range ?? []).map((each) => shownNumber(each, unit))
  const isWide = low !== undefined && high !== undefined && low !== high
  const over = isBroken(row) ? ", over its bound" : ""
  return `${shownNumber(value, unit)}${unitShown}${isWide ? ` (${low} to ${high})` : ""}${over}`
}
