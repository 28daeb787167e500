import type { HttpBindings } from "@hono/node-server"
import { type Context, Hono } from "hono"
import { HTTPException } from "hono/http-exception"
import type { Access } from "../access/access.ts"
import type { Feed } from "../feed/feed.ts"
import { metricsType, renderMetrics } from "../metrics/metrics.ts"
import type { Totals } from "../metrics/totals.ts"
import type { Sources } from "../source.ts"
import type { ErrorAnswer } from "./api.ts"
import { ApiError } from "./api-error.ts"
import { accessGuard, bearerGuard } from "./guards/access.ts"
import { bodyLimitGuard } from "./guards/body-limit.ts"
import { hostGuard } from "./guards/host.ts"
import { originGuard } from "./guards/origin.ts"
import { ownHeaderGuard } from "./guards/own-header.ts"
import { readOnlyGuard } from "./guards/read-only.ts"
import { securityHeaders } from "./guards/security-headers.ts"
import { openApiDocument } from "./openapi.ts"
import type { PageFiles } from "./page-files.ts"
import { otherNamePage } from "./refusal-page.ts"
import { accessRoutes } from "./routes/access.ts"
import { actorRoutes } from "./routes/actors.ts"
import { cancelRoutes } from "./routes/cancel.ts"
import { jobRoutes } from "./routes/jobs.ts"
import { machineRoutes } from "./routes/machines.ts"
import { pageRoutes } from "./routes/page.ts"
import { phaseRoutes } from "./routes/phases.ts"
import { streamRoutes } from "./routes/stream.ts"

export type AppOptions = {
  sources: Sources
  feed: Feed
  totals: Totals
  page: PageFiles
  access: Access
  /** Where it listens, `host:port`: the only name that it answers to. */
  host: string
  readOnly: boolean
  link(): string
  /** What a person runs in a terminal for a fresh link. */
  command: string
  reportError(error: unknown): void
}

type App = Hono<{ Bindings: HttpBindings }>

/** The guards in order, then the routes. */
export function createApp(options: AppOptions): App {
  const { sources, feed, totals, page, access, host, readOnly, link, command, reportError } = options
  const origin = `http://${host}`
  const app: App = new Hono()

  app.use(securityHeaders)
  app.use(hostGuard(host))
  app.use(originGuard(origin))

  // The page holds nothing: what it shows, it asks for with the secret that its link is exchanged for.
  app.route("/", pageRoutes(page))
  app.post("/api/link", bearerGuard(access.linkSecret), ownHeaderGuard, (c) => c.json({ link: link() }))
  app.use("/api/access", ownHeaderGuard, bodyLimitGuard)
  app.route("/api", accessRoutes(access, origin, command))

  app.use(accessGuard(access, command))
  app.use(readOnlyGuard(readOnly))
  app.use(ownHeaderGuard)
  // Nothing is read of a body that has no way in. Of a chunked one it makes a new request, whose method is another.
  app.use(bodyLimitGuard)

  app.route("/api/jobs", jobRoutes(sources, readOnly))
  app.route("/api/cancel", cancelRoutes(sources))
  app.route("/api/actors", actorRoutes(sources))
  app.route("/api/phases", phaseRoutes(sources))
  app.route("/api/machines", machineRoutes(page.machines))
  app.route("/api/stream", streamRoutes(feed))
  app.get("/metrics", (c) => {
    totals.begin()
    return c.text(renderMetrics(records(sources), totals), 200, { "content-type": metricsType })
  })
  app.get("/openapi.json", (c) => c.json(openApiDocument(origin)))
  refuseOtherMethods(app)

  app.notFound(() => {
    throw new ApiError(404, "route", "There is no such route. /openapi.json lists all of them.")
  })
  app.onError((error, c) => {
    if (error instanceof ApiError) {
      const { status, kind, message, headers } = error
      if (kind === "host" && isForPerson(c)) return c.html(otherNamePage, status, headers)
      // Never to a page on another host name, which could read it: the command contains the path of the plugin.
      const wayIn = kind === "access" ? { command } : {}
      return c.json({ error: { kind, message, ...wayIn } } satisfies ErrorAnswer, status, headers)
    }
    if (error instanceof HTTPException)
      return c.json({ error: { kind: "http", message: "The request is malformed." } }, error.status)
    // Nobody reads this, and nothing of ours has failed.
    if (c.env.incoming.aborted) return c.body(null, 400)
    reportError(error)
    return c.json(
      { error: { kind: "defect", message: "The inspector failed. opencode's log has the details." } },
      500,
    )
  })
  return app
}

/** A browser that navigates to the page. Everything else gets refusals as JSON. */
function isForPerson(c: Context): boolean {
  return c.req.path === "/" && (c.req.header("accept") ?? "").includes("text/html")
}

function* records(sources: Sources) {
  for (const { record } of sources.jobs()) yield record
}

/** A known path answers other methods with those that it accepts. */
function refuseOtherMethods(app: App): void {
  const methods = new Map<string, Set<string>>()
  for (const { path, method } of app.routes) {
    if (method === "ALL") continue
    methods.set(path, (methods.get(path) ?? new Set()).add(method))
  }
  for (const [path, known] of methods) {
    const allow = [...known].join(", ")
    app.all(path, () => {
      throw new ApiError(405, "method", `This route accepts ${allow}.`, { allow })
    })
  }
}
