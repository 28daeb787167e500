import type { Context, MiddlewareHandler } from "hono"
import { getCookie, setCookie } from "hono/cookie"
import type { Links } from "../../access/links.ts"
import { isSameSecret } from "../../access/secrets.ts"
import { ApiError } from "../api-error.ts"

export type Access = {
  links: Links
  /** What scripts send as `Authorization: Bearer`. */
  token: string
  /** What a link is traded for. Its name contains the port, because cookies ignore ports. */
  cookie: { name: string; value: string }
}

/**
 * Everything but trading a link requires the cookie or the token.
 * @param command prints a fresh link.
 */
export function accessGuard({ links, token, cookie }: Access, command: string): MiddlewareHandler {
  const wayIn =
    `This requires a fresh link, valid once for ten minutes: ${command} prints one. ` +
    "Scripts send `Authorization: Bearer` with the option inspector.token."
  return async (c, next) => {
    const known = hasCookie(c, cookie) || hasBearer(c, token)
    const link = c.req.path === "/" && c.req.method === "GET" ? c.req.query("link") : undefined
    // A browser that has access already uses the link up, too: none is left lying about.
    const isRedeemed = link !== undefined && links.redeem(link)
    if (link !== undefined && (known || isRedeemed)) return trade(c, cookie)
    if (!known) throw new ApiError(401, "access", wayIn, { "www-authenticate": "Bearer" })
    await next()
    return undefined
  }
}

/** For a route with its own secret. */
export function bearerGuard(secret: string): MiddlewareHandler {
  return async (c, next) => {
    if (!hasBearer(c, secret))
      throw new ApiError(401, "access", "This requires the secret of the running inspector.", {
        "www-authenticate": "Bearer",
      })
    await next()
  }
}

function hasCookie(c: Context, { name, value }: Access["cookie"]): boolean {
  const given = getCookie(c, name)
  return given !== undefined && isSameSecret(given, value)
}

function hasBearer(c: Context, secret: string): boolean {
  const given = c.req.header("authorization")?.match(/^Bearer (.+)$/i)?.[1]
  return given !== undefined && isSameSecret(given, secret)
}

/** Removes the link from the address, so that it does not stay in a history or a screenshot. */
function trade(c: Context, { name, value }: Access["cookie"]): Response {
  setCookie(c, name, value, { httpOnly: true, sameSite: "Strict", path: "/" })
  const rest = new URLSearchParams(new URL(c.req.url).search)
  rest.delete("link")
  return c.redirect(rest.size > 0 ? `/?${rest}` : "/", 303)
}
