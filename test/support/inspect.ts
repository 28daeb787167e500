import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import * as z from "zod"

const run = promisify(execFile)
const Running = z.array(z.object({ url: z.string(), link: z.string() }))

/** What `npx opencode-troupe inspect --json` prints for the person whose home this is. */
export async function inspect({ home }: { home: string }): Promise<z.infer<typeof Running>> {
  const cli = join(import.meta.dirname, "../../dist/cli.js")
  const env = { ...process.env, HOME: home, XDG_STATE_HOME: "" }
  // It exits with 1 where none runs.
  const { stdout } = await run(process.execPath, [cli, "inspect", "--json"], { env }).catch(
    (failed) => failed,
  )
  return Running.parse(JSON.parse(stdout))
}
