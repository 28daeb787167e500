import type { ActorAnswer } from "../../http/api.ts"
import { STATES, stateWords } from "./words.ts"

type Kind = ActorAnswer["kind"]

/** What each kind of actor is for, from the root down. */
export const kindMeanings: Record<Kind, string> = {
  process: "the opencode that runs this inspector",
  system: "one project; holds the slots in which jobs may prompt",
  supervisor: "answers for the jobs of one owner",
  job: "one job that has not ended",
  turn: "what the child of a job was asked, until it has answered",
  delivery: "puts results into its owner's conversation",
  budget: "holds a batch or an owner to what it may spend",
  writer: "stores the record of one job",
}

/** The kinds in a tree, from the root down. */
export function kindsIn(tree: ActorAnswer): Kind[] {
  const found = new Set<Kind>()
  const visit = ({ kind, children }: ActorAnswer): void => {
    found.add(kind)
    children.forEach(visit)
  }
  visit(tree)
  return (Object.keys(kindMeanings) as Kind[]).filter((kind) => found.has(kind))
}

/** Its state, unless that says nothing: an actor without states of its own is always `active`. */
export const stateOf = ({ state }: ActorAnswer) => (state === "active" ? undefined : state)

/** Whether something failed and is tried again, or has crashed. */
export const isInTrouble = ({ state }: ActorAnswer) => /\b(backoff|retrying|error)\b/.test(state)

/** What an actor counts, in words. */
export function countWords({ kind, counts }: ActorAnswer): string[] {
  const count = (name: string) => counts[name] ?? 0
  switch (kind) {
    case "process":
      return [plural(count("systems"), "project")]
    case "system":
      return [
        `${count("busy")} of ${plural(count("slots"), "slot")} busy`,
        ...some(count("waiting"), "waiting"),
      ]
    case "supervisor":
      return STATES.flatMap((state) => some(count(state), stateWords[state].word))
    case "job":
      return [
        ...(count("run") > 1 ? [`run ${count("run")}`] : []),
        ...(count("asks") > 0 ? [`${plural(count("asks"), "open request")}`] : []),
      ]
    default:
      return Object.entries(counts).flatMap(([name, value]) =>
        some(value, value === 1 ? singular(name) : name),
      )
  }
}

const some = (value: number, word: string) => (value > 0 ? [`${value} ${word}`] : [])

const singular = (name: string) => name.replace(/s$/, "")

const plural = (value: number, word: string) => `${value} ${word}${value === 1 ? "" : "s"}`
