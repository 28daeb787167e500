import type { MiddlewareHandler } from "hono"
import { ApiError } from "../api-error.ts"

/** Accepts only our own names: a foreign one that resolves to this machine is DNS rebinding. */
export function hostGuard(allowed: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    const host = c.req.header("host")?.toLowerCase()
    if (host === undefined || !allowed.includes(host))
      throw new ApiError(421, "host", `The inspector answers only to ${allowed.join(" and ")}.`)
    await next()
  }
}
