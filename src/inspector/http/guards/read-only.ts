import type { MiddlewareHandler } from "hono"
import { ApiError } from "../api-error.ts"

/** The page only shows what is allowed; this is what holds it. */
export function readOnlyGuard(readOnly: boolean): MiddlewareHandler {
  return async (c, next) => {
    if (readOnly && c.req.method !== "GET" && c.req.method !== "HEAD")
      throw new ApiError(
        405,
        "read-only",
        "This inspector only shows (option inspector.readOnly). Use the agents' tools instead.",
        { allow: "GET, HEAD" },
      )
    await next()
  }
}
