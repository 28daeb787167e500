import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import * as z from "zod"

const run = promisify(execFile)
const Running = z.array(z.object({ url: z.string(), link: z.string() }))

/** The environment of a terminal of the person whose home this is. */
export const personsEnv = ({ home }: { home: string }) => ({ ...process.env, HOME: home, XDG_STATE_HOME: "" })

/** What `node dist/cli.js inspect --json` prints for the person whose home this is. */
export async function inspect({ home }: { home: string }): Promise<z.infer<typeof Running>> {
  const cli = join(import.meta.dirname, "../../dist/cli.js")
  const env = personsEnv({ home })
  // It exits with 1 where none runs.
  const { stdout } = await run(process.execPath, [cli, "inspect", "--json"], { env }).catch(
    (failed) => failed,
  )
  return Running.parse(JSON.parse(stdout))
}

/** As the page does with the link in its address. */
export const exchange = (link: string): Promise<Response> =>
  fetch(new URL("/api/access", link), {
    method: "POST",
    headers: { "x-troupe": "1", "content-type": "application/json" },
    body: JSON.stringify({ link: link.split("#link=")[1] }),
  })
