import type { JobAnswer } from "../../http/api.ts"

export type SpanKind = "opening" | "queued" | "run" | "retry" | "waiting" | "stopping"
export type Span = { kind: SpanKind; from: number; to: number; why: string }

export const spanWords: Record<SpanKind, string> = {
  opening: "opening",
  queued: "queued",
  run: "running",
  retry: "backoff",
  waiting: "waiting for you",
  stopping: "stopping",
}

type Timed = Pick<JobAnswer, "createdAt" | "startedAt" | "endedAt"> & {
  history: readonly Pick<JobAnswer["history"][number], "at" | "to" | "why">[]
}

/** What a job spent its time on. A job of an earlier process has no history: its record gives the outline. */
export function spansOf({ history, createdAt, startedAt, endedAt }: Timed, now: number): Span[] {
  const end = endedAt ?? now
  if (history.length === 0) {
    const started = startedAt ?? end
    const spans: Span[] = [{ kind: "queued", from: createdAt, to: started, why: "" }]
    return startedAt === undefined ? spans : [...spans, { kind: "run", from: started, to: end, why: "" }]
  }
  return history.flatMap(({ at, to, why }, index) => {
    const kind = kindOf(to)
    return kind ? [{ kind, from: at, to: Math.max(at, history[index + 1]?.at ?? end), why }] : []
  })
}

function kindOf(place: string): SpanKind | undefined {
  const [state, phase] = place.split(".")
  if (phase === "stopping") return "stopping"
  if (state === "created") return phase === "queued" ? "queued" : "opening"
  if (state !== "prompting") return undefined
  if (phase === "retrying") return "retry"
  if (phase === "permission" || phase === "question") return "waiting"
  return "run"
}
