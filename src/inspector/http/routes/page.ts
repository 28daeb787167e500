import { createHash } from "node:crypto"
import { gzipSync } from "node:zlib"
import { type Context, Hono } from "hono"
import type { PageFiles } from "../page-files.ts"

export function pageRoutes({ html, js, css }: PageFiles): Hono {
  return new Hono()
    .get("/", file(html, "text/html; charset=utf-8"))
    .get("/page.js", file(js, "text/javascript; charset=utf-8"))
    .get("/page.css", file(css, "text/css; charset=utf-8"))
    .get("/icon.svg", file(icon, "image/svg+xml"))
}

/** Compressed once, when it is first asked for; asked for again, a browser that has it is told so. */
function file(text: string, type: string) {
  let compressed: Uint8Array<ArrayBuffer> | undefined
  const etag = `"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`
  return (c: Context) => {
    const headers = { "content-type": type, etag, "cache-control": "no-cache", vary: "accept-encoding" }
    if (c.req.header("if-none-match")?.includes(etag)) return c.body(null, 304, headers)
    if (!/\bgzip\b/.test(c.req.header("accept-encoding") ?? "")) return c.body(text, 200, headers)
    compressed ??= new Uint8Array(gzipSync(text))
    return c.body(compressed, 200, { ...headers, "content-encoding": "gzip" })
  }
}

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#5b5bd6"/>' +
  '<g fill="none" stroke="#fff" stroke-width="2"><path d="M16 12v4M16 16H9v4M16 16h7v4M16 16v4"/></g>' +
  '<g fill="#fff"><circle cx="16" cy="9" r="3.4"/><circle cx="9" cy="23" r="3"/><circle cx="16" cy="23" r="3"/>' +
  '<circle cx="23" cy="23" r="3"/></g></svg>'
