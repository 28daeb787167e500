import type { JobAnswer } from "../../http/api.ts"

export type SpanKind = "opening" | "blocked" | "queued" | "run" | "retry" | "waiting" | "stopping"
export type Span = { kind: SpanKind; from: number; to: number; why: string }

export const spanWords: Record<SpanKind, string> = {
  opening: "opening",
  blocked: "blocked",
  queued: "queued",
  run: "running",
  retry: "backoff",
  waiting: "waiting for you",
  stopping: "stopping",
}

type Timed = Pick<JobAnswer, "createdAt" | "startedAt" | "endedAt" | "isGroup"> & {
  history: readonly Pick<JobAnswer["history"][number], "at" | "to" | "why">[]
}

/**
 * What a job spent its time on. A job of an earlier process has no history: its record gives the outline.
 *
 * @param inLine since when it was in line for a slot
 */
export function spansOf(job: Timed, now: number, inLine: number): Span[] {
  const { history, createdAt, startedAt, endedAt, isGroup } = job
  const end = endedAt ?? now
  if (isGroup) return [{ kind: "blocked", from: createdAt, to: end, why: "" }]
  if (history.length === 0) {
    const started = startedAt ?? end
    const outline: Span[] = [
      { kind: "blocked", from: createdAt, to: inLine, why: "" },
      { kind: "queued", from: inLine, to: started, why: "" },
    ]
    const before = outline.filter(({ from, to }) => to > from)
    return startedAt === undefined ? before : [...before, { kind: "run", from: started, to: end, why: "" }]
  }
  return history.flatMap(({ at, to, why }, index) => {
    const kind = kindOf(to)
    return kind ? [{ kind, from: at, to: Math.max(at, history[index + 1]?.at ?? end), why }] : []
  })
}

function kindOf(place: string): SpanKind | undefined {
  const [state, phase] = place.split(".")
  if (phase === "stopping" || phase === "blocked" || phase === "queued" || phase === "opening") return phase
  if (state === "created") return "opening"
  if (state !== "prompting") return undefined
  if (phase === "retrying") return "retry"
  if (phase === "permission" || phase === "question") return "waiting"
  return "run"
}
