import type { Context, MiddlewareHandler } from "hono"
import { ApiError } from "../api-error.ts"

/**
 * Accepts requests from our own page only: these headers of a browser say where a request came from. Scripts send
 * neither of them. Anybody may lead a person to the page, which holds nothing before it has asked for it.
 */
export function originGuard(own: string): MiddlewareHandler {
  return async (c, next) => {
    const origin = c.req.header("origin")
    if (origin !== undefined && origin !== own)
      throw new ApiError(403, "origin", `Only pages of ${own} may send requests.`)
    const site = c.req.header("sec-fetch-site")
    if (site !== undefined && site !== "same-origin" && site !== "none" && !isVisit(c))
      throw new ApiError(
        403,
        "origin",
        "Other sites cannot use the inspector. Open its link in a tab of its own.",
      )
    await next()
  }
}

/** Somebody follows a link to the page: in a tab, not in a frame. */
function isVisit(c: Context): boolean {
  return c.req.path === "/" && c.req.method === "GET" && c.req.header("sec-fetch-dest") === "document"
}
