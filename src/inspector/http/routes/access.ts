import { Hono } from "hono"
import type { Access } from "../../access/access.ts"
import { type AccessAnswer, AccessBody, type ProofAnswer, ProofQuery } from "../api.ts"
import { noWayIn } from "../api-error.ts"
import { parseBodyOf, parseQueryOf } from "../parse.ts"

/**
 * How a browser gets in, and how it sees that it still talks to the inspector that has let it in.
 * @param origin of the page
 * @param command prints a fresh link
 */
export function accessRoutes(access: Access, origin: string, command: string): Hono {
  return new Hono()
    .post("/access", async (c) => {
      const { link } = await parseBodyOf(c, AccessBody)
      const pass = access.exchange(link)
      if (!pass) throw noWayIn(command)
      return c.json({ ...pass, command } satisfies AccessAnswer)
    })
    .get("/proof", (c) => {
      const { nonce } = parseQueryOf(c, ProofQuery)
      return c.json({ proof: access.prove(origin, nonce) } satisfies ProofAnswer)
    })
}
