import { execFileSync } from "node:child_process"
import { join } from "node:path"
import * as z from "zod"
import { StoredJob } from "../../src/plugin/records/stored-job.ts"
import type { KeptJob } from "./any-opencode.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"

const Rows = z.array(z.object({ session: z.string(), value: z.string() }))
const Entry = z.object({ stored: StoredJob })
const Versioned = z.object({ stored: z.object({ version: z.number() }) })

/** What the plugin keeps for each child session in the storage of opencode 2, a table of its database. */
export function storedIn(home: string): KeptJob[] {
  return rowsIn(home).map(({ session, value }) => ({ session, ...Entry.parse(JSON.parse(value)).stored }))
}

/** The version of the format in which a child's record lies there. */
export function versionIn(home: string, child: string): number | undefined {
  const row = rowsIn(home).find(({ session }) => session === child)
  return row && Versioned.parse(JSON.parse(row.value)).stored.version
}

/** Makes a child's record one of another version of the format. */
export function setVersion(home: string, child: string, version: number): void {
  const change = `
    const [version, child] = process.argv.slice(-2)
    database.run("pragma busy_timeout = 5000")
    database.run(
      "update kv set value = json_set(value, '$.stored.version', cast(? as integer)) where key like '%:child/' || ?",
      [version, child],
    )
  `
  run(home, "readwrite", change, `${version}`, child)
}

function rowsIn(home: string): z.infer<typeof Rows> {
  const read = `
    const rows = database.query("select key, value from kv where key like '%:child/%'").all()
    console.log(JSON.stringify(rows.map(({ key, value }) => ({ session: key.split(":child/")[1], value }))))
  `
  return Rows.parse(JSON.parse(run(home, "readonly", read)))
}

/** Node 20 reads no SQLite; the Bun inside opencode does. */
function run(home: string, mode: "readonly" | "readwrite", script: string, ...args: string[]): string {
  const database = join(home, ".local", "share", "opencode", "opencode.db")
  const open = `
    import { Database } from "bun:sqlite"
    const database = new Database(${JSON.stringify(database)}, { ${mode}: true })
  `
  return execFileSync(opencode2Binary() ?? "opencode", ["-e", open + script, ...args], {
    env: { ...process.env, BUN_BE_BUN: "1" },
    encoding: "utf8",
  })
}
