import { execFileSync } from "node:child_process"
import { join } from "node:path"
import * as z from "zod"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import type { KeptJob } from "./any-opencode.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"

const Rows = z.array(z.object({ session: z.string(), value: z.string() }))
const Entry = z.object({ stored: StoredJob })

/** What the plugin keeps for each child session in the storage of opencode 2, a table of its database. */
export function storedIn(home: string): KeptJob[] {
  const database = join(home, ".local", "share", "opencode", "opencode.db")
  // Node 20 reads no SQLite; the Bun inside opencode does.
  const output = execFileSync(opencode2Binary() ?? "opencode", ["-e", script, database], {
    env: { ...process.env, BUN_BE_BUN: "1" },
    encoding: "utf8",
  })
  return Rows.parse(JSON.parse(output)).map(({ session, value }) => ({
    session,
    ...Entry.parse(JSON.parse(value)).stored,
  }))
}

const script = `
import { Database } from "bun:sqlite"
const database = new Database(process.argv.at(-1), { readonly: true })
const rows = database.query("select key, value from kv where key like '%:child/%'").all()
console.log(JSON.stringify(rows.map(({ key, value }) => ({ session: key.split(":child/")[1], value }))))
`
