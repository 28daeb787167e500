import { computed, signal } from "@preact/signals"

export type ViewName = "overview" | "jobs" | "timeline" | "actors"
export const VIEWS: readonly ViewName[] = ["overview", "jobs", "timeline", "actors"]

/** How much of the past the timeline shows. */
export type SpanName = "5m" | "1h" | "all"
export const SPANS: readonly SpanName[] = ["5m", "1h", "all"]

export type SortName = "job" | "state" | "agent" | "time" | "tokens" | "cost"
export const SORTS: readonly SortName[] = ["job", "state", "agent", "time", "tokens", "cost"]

export type Range = { from: number; to: number }

/** Everything that is selected is in the address, so that a link shows the same. */
export type Address = {
  view: ViewName
  /** The open job, which covers its view. */
  job: string
  /** The search. */
  q: string
  /** Jobs as a tree by owner, or flat. */
  list: "tree" | "flat"
  /** Owners whose jobs are collapsed; with `*` among them, all but these. */
  fold: readonly string[]
  span: SpanName
  /** What the timeline was moved or magnified to, epoch milliseconds; without it the timeline follows the time. */
  range: Range | undefined
  /** What the jobs are sorted by; empty for the newest first. */
  sort: SortName | ""
  isDescending: boolean
}

const params = signal(new URLSearchParams(location.search))
let isFirst = true
addEventListener("popstate", read)

export const address = computed<Address>(() => ({
  view: VIEWS.find((name) => name === params.value.get("view")) ?? "overview",
  job: params.value.get("job") ?? "",
  q: params.value.get("q") ?? "",
  list: params.value.get("list") === "flat" ? "flat" : "tree",
  fold: (params.value.get("fold") ?? "").split(",").filter((owner) => owner !== ""),
  span: SPANS.find((name) => name === params.value.get("span")) ?? "1h",
  range: rangeIn(params.value.get("range") ?? ""),
  sort: SORTS.find((name) => name === params.value.get("sort")?.replace(/^-/, "")) ?? "",
  isDescending: params.value.get("sort")?.startsWith("-") === true,
}))

function rangeIn(text: string): Range | undefined {
  const [from = 0, to = 0] = text.split("-").map(Number)
  // What a Date can be.
  return from > 0 && to > from && to < 8.64e15 ? { from, to } : undefined
}

/** Whether the person has navigated since the page was opened. */
export const hasNavigated = () => !isFirst

/** The address with some of it changed; defaults are left out. */
export function hrefTo(change: Partial<Address>): string {
  const next = { ...address.value, ...change }
  const query = new URLSearchParams()
  if (next.view !== "overview") query.set("view", next.view)
  if (next.q !== "") query.set("q", next.q)
  if (next.list !== "tree") query.set("list", next.list)
  if (next.fold.length > 0) query.set("fold", next.fold.join(","))
  if (next.span !== "1h") query.set("span", next.span)
  if (next.range) query.set("range", `${Math.round(next.range.from)}-${Math.round(next.range.to)}`)
  if (next.sort !== "") query.set("sort", `${next.isDescending ? "-" : ""}${next.sort}`)
  if (next.job !== "") query.set("job", next.job)
  return query.size > 0 ? `/?${query}` : "/"
}

/** @param how `replace` for what should not be a step in the history, such as each letter of a search. */
export function go(change: Partial<Address>, how: "push" | "replace" = "push"): void {
  const href = hrefTo(change)
  if (href === location.pathname + location.search) return
  if (how === "push") history.pushState(null, "", href)
  else history.replaceState(null, "", href)
  read()
}

/** For links: a plain click stays on the page, everything else is left to the browser. */
export function onLinkClick(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest("a") : null
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
  if (!link || !isPlain || link.origin !== location.origin) return
  event.preventDefault()
  if (link.pathname + link.search === location.pathname + location.search) return
  history.pushState(null, "", link.href)
  read()
}

function read(): void {
  isFirst = false
  params.value = new URLSearchParams(location.search)
}
