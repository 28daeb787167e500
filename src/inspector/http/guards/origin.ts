import type { MiddlewareHandler } from "hono"
import { ApiError } from "../api-error.ts"

/**
 * Accepts requests from our own page only. Cookies ignore ports, and SameSite takes every localhost port for the same
 * site: these headers of a browser say where a request really came from. Scripts send neither of them.
 */
export function originGuard(allowedHosts: readonly string[]): MiddlewareHandler {
  const origins = allowedHosts.map((host) => `http://${host}`)
  return async (c, next) => {
    const origin = c.req.header("origin")
    if (origin !== undefined && origin !== `http://${c.req.header("host")?.toLowerCase()}`)
      throw new ApiError(403, "origin", `Only pages of ${origins.join(" and ")} may send requests.`)
    const site = c.req.header("sec-fetch-site")
    if (site !== undefined && site !== "same-origin" && site !== "none")
      throw new ApiError(
        403,
        "origin",
        "Another site sent you here. Paste the link into the address bar instead.",
      )
    await next()
  }
}
