import type { MiddlewareHandler } from "hono"
import { bodyLimit } from "hono/body-limit"
import { ApiError } from "../api-error.ts"

/** Largest body, bytes: a long follow-up, not a file. */
const maxSize = 64 * 1024

export const bodyLimitGuard: MiddlewareHandler = bodyLimit({
  maxSize,
  onError: () => {
    throw new ApiError(413, "too-large", `A body may have at most ${maxSize / 1024} KiB.`)
  },
})
