import { cpSync, existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { Generation } from "../test/support/any-opencode.ts"
import { installOpencode2, opencode2Binary } from "../test/support/opencode-2-binary.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import { actorCost } from "./actor-cost.ts"
import { fanOut } from "./fan-out.ts"
import { benchInspector } from "./inspector.ts"
import { keptTexts } from "./kept-texts.ts"
import { ownerTurns } from "./owner-turns.ts"
import type { Bench, Part } from "./part.ts"
import { peers } from "./peers.ts"
import { isBroken, json, type Results, table, titleOf } from "./report.ts"
import { requestBytes } from "./request-bytes.ts"
import { startUp } from "./start-up.ts"
import { writeTables } from "./tables.ts"
import { benchTerminal } from "./terminal.ts"
import { waitLatency } from "./wait-latency.ts"
import { benchWorktrees } from "./worktrees.ts"

/** Measured in each opencode, and once. */
const parts: Record<string, { measure: Part; isOfOpencode: boolean }> = {
  "fan-out": { measure: fanOut, isOfOpencode: true },
  "wait-latency": { measure: waitLatency, isOfOpencode: true },
  "request-bytes": { measure: requestBytes, isOfOpencode: true },
  "start-up": { measure: startUp, isOfOpencode: true },
  terminal: { measure: benchTerminal, isOfOpencode: true },
  peers: { measure: peers, isOfOpencode: true },
  "owner-turns": { measure: ownerTurns, isOfOpencode: true },
  "kept-texts": { measure: keptTexts, isOfOpencode: true },
  "actor-cost": { measure: actorCost, isOfOpencode: false },
  inspector: { measure: benchInspector, isOfOpencode: false },
  worktrees: { measure: benchWorktrees, isOfOpencode: false },
}

const help = `npm run bench -- [options]

Measures the built plugin in the real opencode, 1.18 and 2, with a scripted model. Progress goes to stderr, the report
to stdout. Exits with 1 if a bound is exceeded.

  --opencode 1|2  only in this generation (default: both)
  --only NAME     only this part; repeat it for more: ${Object.keys(parts).join(", ")}
  --rounds N      how often each thing is measured (5)
  --json FILE     writes all figures to a file
  --write         writes those tables of docs/benchmarks.md whose parts were all measured, in both generations
  --help`

async function main(): Promise<void> {
  const { only, rounds, opencode, json: file, write, help: isHelp } = readArguments()
  if (isHelp) {
    console.log(help)
    return
  }
  const root = join(import.meta.dirname, "..")
  if (!existsSync(join(root, "dist", "server.js")))
    throw new Error("there is no dist/server.js; run: npm run build")
  const generations = generationsFor(opencode)
  const copy = tempFolder("bench")
  for (const each of ["dist", "package.json", "server.js", "tui.js"])
    cpSync(join(root, each), join(copy.path, each), { recursive: true })

  const results: Results = {}
  for (const [name, { measure, isOfOpencode }] of Object.entries(parts)) {
    if (only.length > 0 && !only.includes(name)) continue
    for (const generation of isOfOpencode ? generations : ([1] as const)) {
      const title = isOfOpencode ? titleOf(name, generation) : name
      const bench: Bench = {
        rounds,
        generation,
        folder: copy.path,
        say: (text) => console.error(`${title}: ${text}`),
      }
      const rows = await measure(bench)
      results[title] = rows
      for (const row of rows.filter(isBroken)) bench.say(`over its bound: ${row.name}`)
    }
  }
  copy.remove()
  console.log(table(results))
  if (file !== undefined) writeFileSync(file, json(results, rounds))
  if (write) console.error(`Written in docs/benchmarks.md: ${writeTables(results).join(", ") || "nothing"}`)
  if (Object.values(results).flat().some(isBroken)) process.exitCode = 1
}

function generationsFor(asked: string | undefined): Generation[] {
  if (asked === "1") return [1]
  if (asked !== undefined && asked !== "2") throw new Error(`--opencode is ${asked}; it takes 1 or 2`)
  installOpencode2()
  const hasTwo = opencode2Binary() !== undefined
  const lack = "there is no opencode 2 for this machine: name one in OPENCODE2"
  if (asked === "2" && !hasTwo) throw new Error(lack)
  if (!hasTwo) console.error(`Only opencode 1.18 is measured: ${lack}`)
  return asked === "2" ? [2] : hasTwo ? [1, 2] : [1]
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "5" },
      opencode: { type: "string" },
      json: { type: "string" },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds is ${values.rounds}; it takes 1 or more`)
  const unknown = values.only.find((name) => !(name in parts))
  if (unknown !== undefined) {
    throw new Error(
      `--only ${unknown}: there is no such part; the parts are: ${Object.keys(parts).join(", ")}`,
    )
  }
  return { ...values, rounds }
}

main().catch((error: unknown) => {
  const words = error instanceof Error ? (process.env.DEBUG ? error.stack : error.message) : String(error)
  console.error(`bench: ${words}`)
  process.exitCode = 2
})
