import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as z from "zod"
import type { Generation } from "./any-opencode.ts"
import { tempFolder } from "./temp-folder.ts"
import { poll } from "./waiters.ts"

const Server = z.object({ url: z.string(), home: z.string() })
export type Server = z.infer<typeof Server>

/** What all end-to-end tests of a run have in common. */
const Common = z.object({
  /** Where a prepared home of 1.18 is, where the tests run on that. */
  home: z.string().optional(),
  /** opencodes of each generation that run, one for each worker. */
  servers: z.object({ 1: z.array(Server), 2: z.array(Server) }),
})
export type Common = z.infer<typeof Common>

const Announced = z.union([Common, z.object({ failed: z.string() })])

/** Names the file that says what there is, once it is made, or why it could not be. */
const variable = "TROUPE_COMMON"

/** Lets the processes that this one starts from now on find what `made` will give. Returns what ends that. */
export function announce(made: Promise<Common>): () => void {
  const folder = tempFolder("common")
  const file = join(folder.path, "common.json")
  const write = (content: z.infer<typeof Announced>) => {
    // Renamed, so that nobody ever reads half of it.
    writeFileSync(`${file}.new`, JSON.stringify(content))
    renameSync(`${file}.new`, file)
  }
  process.env[variable] = file
  made.then(write, (error) => write({ failed: String(error) }))
  return () => {
    delete process.env[variable]
    folder.remove()
  }
}

/** Waits for what was announced; undefined where nothing was: in the demo and in the benchmark. */
export async function common(): Promise<Common | undefined> {
  const file = process.env[variable]
  if (!file) return undefined
  await poll("what all tests have in common", () => existsSync(file) || undefined, { timeoutMs: 110_000 })
  const found = Announced.parse(JSON.parse(readFileSync(file, "utf8")))
  if ("failed" in found) throw new Error(`What all tests have in common was not made: ${found.failed}`)
  return found
}

/** The opencode that this worker's tests share. */
export async function serverOfWorker(generation: Generation): Promise<Server> {
  const servers = (await common())?.servers[generation] ?? []
  const server = servers[Number(process.env.VITEST_POOL_ID ?? 0) % servers.length]
  if (!server) throw new Error("No opencode is shared: vitest's global setup starts them")
  return server
}
