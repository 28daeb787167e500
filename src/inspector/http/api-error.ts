import type { ContentfulStatusCode } from "hono/utils/http-status"

/** A refusal. Its message says what was wrong, and what would be right. */
export class ApiError extends Error {
  override readonly name = "ApiError"
  readonly status: ContentfulStatusCode
  readonly kind: string
  readonly headers: Record<string, string>

  constructor(
    status: ContentfulStatusCode,
    kind: string,
    message: string,
    headers: Record<string, string> = {},
  ) {
    super(message)
    this.status = status
    this.kind = kind
    this.headers = headers
  }
}

/** @param command prints a fresh link */
export const noWayIn = (command: string) =>
  new ApiError(
    401,
    "access",
    `This requires a fresh link, valid once for ten minutes: ${command} prints one. ` +
      "Scripts send `Authorization: Bearer` with the option inspector.token.",
    { "www-authenticate": "Bearer" },
  )
