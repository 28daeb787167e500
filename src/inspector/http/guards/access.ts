import type { Context, MiddlewareHandler } from "hono"
import type { Access } from "../../access/access.ts"
import { isSameSecret } from "../../access/secrets.ts"
import { ApiError, noWayIn } from "../api-error.ts"

/** Requires the secret of a browser that a link has let in, or the token: never a cookie, which goes to every port. */
export function accessGuard(access: Access, command: string): MiddlewareHandler {
  return async (c, next) => {
    const secret = bearerOf(c)
    if (secret === undefined || !access.admits(secret)) throw noWayIn(command)
    await next()
  }
}

/** For a route with its own secret. */
export function bearerGuard(secret: string): MiddlewareHandler {
  return async (c, next) => {
    const given = bearerOf(c)
    if (given === undefined || !isSameSecret(given, secret))
      throw new ApiError(401, "access", "This requires the secret of the running inspector.", {
        "www-authenticate": "Bearer",
      })
    await next()
  }
}

const bearerOf = (c: Context) => c.req.header("authorization")?.match(/^Bearer (.+)$/i)?.[1]
