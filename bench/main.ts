import { cpSync, existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { tempFolder } from "../test/support/temp-folder.ts"
import { actorCost } from "./actor-cost.ts"
import { fanOut } from "./fan-out.ts"
import { benchInspector } from "./inspector.ts"
import type { Bench, Part } from "./part.ts"
import { peers } from "./peers.ts"
import { isBroken, json, type Results, table } from "./report.ts"
import { requestBytes } from "./request-bytes.ts"
import { startUp } from "./start-up.ts"
import { waitLatency } from "./wait-latency.ts"

const parts: Record<string, Part> = {
  "fan-out": fanOut,
  "wait-latency": waitLatency,
  "request-bytes": requestBytes,
  "start-up": startUp,
  "actor-cost": actorCost,
  inspector: benchInspector,
  peers,
}

const help = `npm run bench -- [options]

Measures the built plugin in the real opencode with a scripted model. Progress goes to stderr, the report to stdout.
Exits 1 where a bound is broken.

  --only NAME    one part; again for more: ${Object.keys(parts).join(", ")}
  --rounds N     how often each thing is measured (5)
  --json FILE    writes all figures to a file
  --help`

async function main(): Promise<void> {
  const { only, rounds, json: file, help: isHelp } = readArguments()
  if (isHelp) {
    console.log(help)
    return
  }
  const root = join(import.meta.dirname, "..")
  if (!existsSync(join(root, "dist", "server.js")))
    throw new Error("there is no dist/server.js; run: npm run build")
  const folder = tempFolder("bench")
  cpSync(join(root, "dist"), join(folder.path, "dist"), { recursive: true })
  cpSync(join(root, "package.json"), join(folder.path, "package.json"))
  const plugin = join(folder.path, "dist", "server.js")

  const results: Results = {}
  for (const [name, part] of Object.entries(parts)) {
    if (only.length > 0 && !only.includes(name)) continue
    const bench: Bench = { rounds, plugin, say: (text) => console.error(`${name}: ${text}`) }
    results[name] = await part(bench)
    for (const row of results[name].filter(isBroken)) bench.say(`over its bound: ${row.name}`)
  }
  folder.remove()
  console.log(table(results))
  if (file !== undefined) writeFileSync(file, json(results, rounds))
  if (Object.values(results).flat().some(isBroken)) process.exitCode = 1
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      rounds: { type: "string", default: "5" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  })
  const rounds = Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds is ${values.rounds}; it takes 1 or more`)
  const unknown = values.only.find((name) => !(name in parts))
  if (unknown !== undefined) {
    throw new Error(`--only ${unknown}: there is no such part; there are: ${Object.keys(parts).join(", ")}`)
  }
  return { ...values, rounds }
}

main().catch((error: unknown) => {
  const words = error instanceof Error ? (process.env.DEBUG ? error.stack : error.message) : String(error)
  console.error(`bench: ${words}`)
  process.exitCode = 2
})
