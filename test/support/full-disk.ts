import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { opencodeBinary } from "./opencode-binary.ts"

const run = promisify(execFile)

/**
 * From now on opencode 1.18 cannot store what a session's conversation is to hold with these words in it, as if its disk
 * were full. Returns what makes room again.
 */
export async function fillDiskFor(
  { home }: { home: string },
  session: string,
  words: string,
): Promise<() => Promise<void>> {
  const database = join(home, ".local", "share", "opencode", "opencode.db")
  const events = ["INSERT", "UPDATE"]
  const condition = `NEW.session_id = '${session}' AND instr(NEW.data, '${words}') > 0`
  await execute(
    database,
    events.map(
      (event) =>
        `CREATE TRIGGER full_${event}_${session} BEFORE ${event} ON part WHEN ${condition} ` +
        "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
    ),
  )
  return () =>
    execute(
      database,
      events.map((event) => `DROP TRIGGER full_${event}_${session}`),
    )
}

/** opencode's own Bun has SQLite, which Node 20 has not. */
async function execute(database: string, statements: string[]): Promise<void> {
  const script = [
    `import { Database } from "bun:sqlite"`,
    `const database = new Database(${JSON.stringify(database)})`,
    `database.exec("PRAGMA busy_timeout = 10000")`,
    `for (const each of ${JSON.stringify(statements)}) database.exec(each)`,
  ].join("\n")
  await run(opencodeBinary(), ["-e", script], { env: { ...process.env, BUN_BE_BUN: "1" } })
}
