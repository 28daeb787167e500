import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { build, type Plugin } from "esbuild"
import * as z from "zod"
import { opencodeBinary } from "../test/support/opencode-binary.ts"
import { tempFolder } from "../test/support/temp-folder.ts"
import type { Bench, Row } from "./part.ts"
import { medianRow, ratios } from "./statistics.ts"

const numbers = z.array(z.number())
const Costs = z.object({ without: numbers, history: numbers, inspector: numbers })

/** What the inspector costs a job while nobody looks: in the actor model alone, where nothing else hides it. */
export async function benchUnwatched({ rounds, say }: Pick<Bench, "rounds" | "say">): Promise<Row[]> {
  const folder = tempFolder("inspector-unwatched")
  const script = join(folder.path, "worker.mjs")
  try {
    await build({
      entryPoints: [join(import.meta.dirname, "unwatched-worker.ts")],
      outfile: script,
      bundle: true,
      platform: "node",
      format: "esm",
      logLevel: "warning",
      plugins: [arms],
    })
    const run = async (file: string, args: string[], env: NodeJS.ProcessEnv) => {
      const { stdout } = await promisify(execFile)(file, [...args, script, `${rounds}`], { env })
      return Costs.parse(JSON.parse(stdout))
    }
    say("a job while nobody looks, in Node")
    const node = await run(process.execPath, ["--expose-gc"], process.env)
    say("a job while nobody looks, in opencode's Bun")
    const bun = await run(opencodeBinary(), [], { ...process.env, BUN_BE_BUN: "1" })
    return [...rowsOf("Node", node), ...rowsOf("opencode's Bun", bun)]
  } finally {
    folder.remove()
  }
}

function rowsOf(where: string, { without, history, inspector }: z.infer<typeof Costs>): Row[] {
  return [
    medianRow(
      `an actor's job with an inspector that nobody looks at / without one (${where})`,
      ratios(inspector, history),
      {
        unit: "×",
        bound: 1.05,
      },
    ),
    medianRow(`an actor's job with its history / without (${where})`, ratios(history, without), {
      unit: "×",
    }),
    medianRow(`a job without history, CPU (${where})`, without, { unit: "µs" }),
  ]
}

const listening = "history.listenTo(job)"
const machines = join(import.meta.dirname, "../src/machines")

/** A copy of the troupe for each arm; in one of them no history listens. */
const arms: Plugin = {
  name: "arms",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^troupe:/ }, ({ path }) => ({ path, namespace: "arms" }))
    onLoad({ filter: /./, namespace: "arms" }, ({ path }) => {
      const source = readFileSync(join(machines, "troupe.ts"), "utf8")
      if (!source.includes(listening)) throw new Error("src/machines/troupe.ts has nothing to leave out")
      const contents = path === "troupe:without-history" ? source.replace(listening, "job") : source
      return { contents, loader: "ts", resolveDir: machines }
    })
  },
}
