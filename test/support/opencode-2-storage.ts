import { execFileSync } from "node:child_process"
import { join } from "node:path"
import * as z from "zod"
import { opencodeBinary } from "./opencode-binary.ts"

const Row = z.object({
  session: z.string(),
  value: z.string().transform((text) => Entry.parse(JSON.parse(text))),
})
const Entry = z.object({ parent: z.string(), stored: z.unknown() })

/** What the plugin keeps for each child session in the storage of opencode 2, a table of its database. */
export function storedIn(home: string): { session: string; parent: string; stored: unknown }[] {
  const database = join(home, ".local", "share", "opencode", "opencode.db")
  // Node 20 reads no SQLite; the Bun inside opencode 1.18 does.
  const output = execFileSync(opencodeBinary(), ["-e", script, database], {
    env: { ...process.env, BUN_BE_BUN: "1" },
    encoding: "utf8",
  })
  return z
    .array(Row)
    .parse(JSON.parse(output))
    .map(({ session, value }) => ({ session, ...value }))
}

const script = `
import { Database } from "bun:sqlite"
const database = new Database(process.argv.at(-1), { readonly: true })
const rows = database.query("select key, value from kv where key like '%:child/%'").all()
console.log(JSON.stringify(rows.map(({ key, value }) => ({ session: key.split(":child/")[1], value }))))
`
