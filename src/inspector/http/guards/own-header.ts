import type { MiddlewareHandler } from "hono"
import { ApiError } from "../api-error.ts"

/** Requires of every change a header that no form and no simple cross-site request can send, and JSON. */
export const ownHeaderGuard: MiddlewareHandler = async (c, next) => {
  if (c.req.method === "POST") {
    if (c.req.header("x-troupe") !== "1")
      throw new ApiError(403, "header", "A request that changes something requires the header `x-troupe: 1`.")
    const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase()
    if (type !== "application/json")
      throw new ApiError(415, "content-type", "The body must be JSON: `content-type: application/json`.")
  }
  await next()
}
