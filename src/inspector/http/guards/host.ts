import type { MiddlewareHandler } from "hono"
import { ApiError } from "../api-error.ts"

/**
 * Accepts only the address where it listens. A foreign name that resolves to this machine is DNS rebinding; under
 * `localhost` a browser may come by another program, on the same port of the other loopback address, which passes
 * everything on and reads along.
 */
export function hostGuard(allowed: string): MiddlewareHandler {
  return async (c, next) => {
    if (c.req.header("host")?.toLowerCase() !== allowed)
      throw new ApiError(421, "host", `The inspector answers only to ${allowed}.`)
    await next()
  }
}
