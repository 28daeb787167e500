import * as z from "zod"
import type { Context } from "./api.ts"

/** How many entries are read at once. */
const pageSize = 500

const Page = z.object({ entries: z.array(z.object({ key: z.string(), value: z.unknown() })) })

/** All entries whose keys begin so, in the order of their keys. */
export async function scan(
  storage: Context["storage"],
  prefix: string,
): Promise<{ key: string; value?: unknown }[]> {
  const found: { key: string; value?: unknown }[] = []
  for (let after: string | undefined; ; after = found.at(-1)?.key) {
    const range = { prefix, limit: pageSize, ...(after !== undefined && { after }) }
    const { entries } = Page.parse(await storage.scan(range))
    found.push(...entries)
    if (entries.length < pageSize) return found
  }
}
