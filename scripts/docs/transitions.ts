import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate"
import { eventName } from "../../src/machines/history.ts"
import type { Reasons } from "../../src/machines/reasons.ts"

/** One transition of a machine, in words. */
export type Row = {
  from: string
  /** A timer includes its time, if that is constant. */
  event: string
  /** `otherwise` if only the transitions before it have a condition; absent if there is none. */
  guard?: string
  /** Absent if the state is not left. */
  to?: string
  actions: string[]
  reason: string
}

/** @throws Error that names all transitions without a reason and all reasons without a transition. */
export function rowsOf(machine: AnyStateMachine, reasons: Reasons): Row[] {
  const open = new Set(Object.entries(reasons).flatMap(([state, all]) => Object.keys(all).map(keyIn(state))))
  const missing: string[] = []
  const rows = statesOf(machine).flatMap((node) =>
    declaredBy(node).map((transition): Row => {
      const [state, cause] = [stateName(node), causeOf(transition)]
      const reason = reasons[state]?.[cause] ?? ""
      if (reason === "") missing.push(keyIn(state)(cause))
      open.delete(keyIn(state)(cause))
      const guard = guardOf(transition) ?? (isOtherwise(transition) ? "otherwise" : undefined)
      const [target] = transition.target ?? []
      return {
        from: state,
        event: eventOf(transition) + timeOf(machine, transition),
        ...(guard !== undefined && { guard }),
        ...(target && { to: stateName(target) }),
        actions: namesOf(transition.actions),
        reason,
      }
    }),
  )
  const problems = [
    ...missing.map((each) => `- no reason for ${each}`),
    ...[...open].map((each) => `- a reason for ${each}, which is no transition`),
  ]
  if (problems.length === 0) return rows
  throw new Error([`The reasons do not fit the machine "${machine.id}":`, ...problems].join("\n"))
}

const keyIn = (state: string) => (cause: string) => `${state}: "${cause}"`

/** The root first, then top-down. */
export function statesOf(machine: AnyStateMachine): AnyStateNode[] {
  const withInner = (node: AnyStateNode): AnyStateNode[] => [
    node,
    ...Object.values(node.states).flatMap(withInner),
  ]
  return withInner(machine.root)
}

/** Its key, with its parents where another state of the machine has the same. */
export function stateName({ key, path, machine }: AnyStateNode): string {
  if (path.length === 0) return "root"
  const isAlone = statesOf(machine).filter((node) => node.key === key).length === 1
  return isAlone ? key : path.join(".")
}

/** Eventless transitions come first, as they do when the state is entered. */
export function declaredBy(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...(node.always ?? []), ...[...node.transitions.values()].flat()]
}

/** The key of its reason in the table. */
function causeOf(transition: AnyTransitionDefinition): string {
  const guard = guardOf(transition)
  return guard === undefined ? eventOf(transition) : `${eventOf(transition)}, if ${guard}`
}

/** Shown in place of an event for eventless transitions. */
export const atOnce = "at once"

export const eventOf = ({ eventType }: AnyTransitionDefinition) =>
  eventType === "" ? atOnce : eventName(eventType)

/** Includes a string parameter: `ends as cancelled`. */
export function guardOf({ guard }: AnyTransitionDefinition): string | undefined {
  if (guard === undefined || typeof guard === "string") return guard
  const [type] = namesOf([guard])
  const params: unknown = Reflect.get(guard, "params")
  return typeof params === "string" ? `${type} ${params}` : type
}

function isOtherwise(transition: AnyTransitionDefinition): boolean {
  const alike = declaredBy(transition.source).filter(({ eventType }) => eventType === transition.eventType)
  return alike.indexOf(transition) > 0
}

function timeOf(machine: AnyStateMachine, { eventType }: AnyTransitionDefinition): string {
  const [, timer] = /^xstate\.after\.([^.]+)/.exec(eventType) ?? []
  const ms = timer === undefined ? undefined : machine.implementations.delays[timer]
  return typeof ms === "number" ? ` (${ms / 1000} s)` : ""
}

/** The actions or guards that the machine declares, without those that xstate adds, for timers for example. */
export function namesOf(actions: readonly unknown[]): string[] {
  return actions.flatMap((action) => {
    const name = typeof action === "string" ? action : typeOf(action)
    return name === undefined || name.startsWith("xstate.") ? [] : [name]
  })
}

function typeOf(action: unknown): string | undefined {
  const isNamed = (typeof action === "object" && action !== null) || typeof action === "function"
  const type: unknown = isNamed ? Reflect.get(action, "type") : undefined
  return typeof type === "string" ? type : undefined
}
