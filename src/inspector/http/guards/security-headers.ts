import type { MiddlewareHandler } from "hono"
import { refusalStyleSource } from "../refusal-page.ts"

const headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' ${refusalStyleSource}`,
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
}

/** For every answer, refusals included: it wraps all other guards. CORS headers are never sent. */
export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next()
  for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value)
  // The page's own files, which hold nothing, say so themselves.
  if (!c.res.headers.has("cache-control")) c.res.headers.set("cache-control", "no-store")
}
