import { Hono } from "hono"
import type { PageFiles } from "../page-files.ts"

export function pageRoutes({ html, js, css }: PageFiles): Hono {
  return new Hono()
    .get("/", (c) => c.html(html))
    .get("/page.js", (c) => c.body(js, 200, { "content-type": "text/javascript; charset=utf-8" }))
    .get("/page.css", (c) => c.body(css, 200, { "content-type": "text/css; charset=utf-8" }))
    .get("/icon.svg", (c) => c.body(icon, 200, { "content-type": "image/svg+xml" }))
}

const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#5b5bd6"/>' +
  '<g fill="none" stroke="#fff" stroke-width="2"><path d="M16 12v4M16 16H9v4M16 16h7v4M16 16v4"/></g>' +
  '<g fill="#fff"><circle cx="16" cy="9" r="3.4"/><circle cx="9" cy="23" r="3"/><circle cx="16" cy="23" r="3"/>' +
  '<circle cx="23" cy="23" r="3"/></g></svg>'
