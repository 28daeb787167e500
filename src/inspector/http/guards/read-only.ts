import type { MiddlewareHandler } from "hono"
import { ApiError } from "../api-error.ts"

/** The page disables its buttons; this enforces it. */
export function readOnlyGuard(readOnly: boolean): MiddlewareHandler {
  return async (c, next) => {
    if (readOnly && c.req.method !== "GET" && c.req.method !== "HEAD")
      throw new ApiError(
        405,
        "read-only",
        "The inspector is read-only (option inspector.readOnly). Ask the main agent instead.",
        { allow: "GET, HEAD" },
      )
    await next()
  }
}
