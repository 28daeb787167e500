import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { build } from "esbuild"
import * as z from "zod"
import { opencodeBinary } from "../test/support/opencode-binary.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import type { Part, Row } from "./part.ts"
import { median, medianRow, ratios } from "./statistics.ts"

const costs = z.array(z.number())
const Costs = z.object({ young: costs, old: costs, flat: costs, layered: costs, heapBytesPerJob: z.number() })

/**
 * What a job costs the actor model itself, with a host that answers at once: when 100 and when 20,000 jobs have gone
 * before, all of one owner and of owners with 20 jobs each, and when jobs wait for each other; in Node, and in the Bun that opencode runs plugins in.
 */
export const actorCost: Part = async ({ rounds, say }) => {
  const folder = tempFolder("actor-cost")
  const script = join(folder.path, "worker.mjs")
  try {
    await build({
      entryPoints: [join(import.meta.dirname, "actor-cost-worker.ts")],
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "warning",
    })
    const run = (file: string, args: string[], env: NodeJS.ProcessEnv) =>
      Costs.parse(JSON.parse(execFileSync(file, args, { env, encoding: "utf8" })))
    const rows: Row[] = []
    for (const perOwner of [Number.MAX_SAFE_INTEGER, 20]) {
      const owners = perOwner === 20 ? "owners of 20 jobs" : "one owner"
      const args = [script, `${rounds}`, `${perOwner}`]
      say(`${owners}, in Node`)
      rows.push(...rowsOf(`Node, ${owners}`, run(process.execPath, ["--expose-gc", ...args], process.env)))
      say(`${owners}, in opencode's Bun`)
      rows.push(...rowsOf(`Bun, ${owners}`, run(opencodeBinary(), args, { ...process.env, BUN_BE_BUN: "1" })))
    }
    return rows
  } finally {
    folder.remove()
  }
}

function rowsOf(where: string, { young, old, flat, layered, heapBytesPerJob }: z.infer<typeof Costs>): Row[] {
  return [
    medianRow(`a job after 20,000 / after 100 (${where})`, ratios(old, young), { unit: "×", bound: 1.2 }),
    medianRow(
      `a job of 500 in a graph of depth 10 / of 500 that need nothing (${where})`,
      ratios(layered, flat),
      {
        unit: "×",
        bound: 1.2,
      },
    ),
    { name: `a job after 100 (${where})`, value: median(young), unit: "µs" },
    { name: `memory kept for an ended job (${where})`, value: heapBytesPerJob, unit: "bytes" },
  ]
}
