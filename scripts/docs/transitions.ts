import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate"
import { eventName } from "../../src/machines/history.ts"
import type { Reasons } from "../../src/machines/reasons.ts"

/** One transition of a machine, in words. */
export type Row = {
  from: string
  /** What brings it; a timer with its time, where that is always the same. */
  event: string
  /** `otherwise` where only those before it have a condition; absent where there is none. */
  guard?: string
  /** Absent where the state is not left. */
  to?: string
  actions: string[]
  reason: string
}

/** @throws Error that names every transition without a reason, and every reason without its transition. */
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
  throw new Error(
    [`The reasons of the machine "${machine.id}" do not match its transitions:`, ...problems].join("\n"),
  )
}

const keyIn = (state: string) => (cause: string) => `${state}: "${cause}"`

/** The machine's own node first, then top-down. */
export function statesOf(machine: AnyStateMachine): AnyStateNode[] {
  const withInner = (node: AnyStateNode): AnyStateNode[] => [
    node,
    ...Object.values(node.states).flatMap(withInner),
  ]
  return withInner(machine.root)
}

/** As reasons and tables name it: by its key, with those of the states around it where others have the same. */
export function stateName({ machine, path }: AnyStateNode): string {
  if (path.length === 0) return "root"
  const paths = statesOf(machine).map((node) => `.${node.path.join(".")}`)
  const names = path.map((_, index) => path.slice(-index - 1).join("."))
  const isClear = (name: string) => paths.filter((each) => each.endsWith(`.${name}`)).length === 1
  return names.find(isClear) ?? path.join(".")
}

/** Those that need no event come first, as they do when the state is entered. */
export function declaredBy(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...(node.always ?? []), ...[...node.transitions.values()].flat()]
}

/** The key of its reason. */
function causeOf(transition: AnyTransitionDefinition): string {
  const guard = guardOf(transition)
  return guard === undefined ? eventOf(transition) : `${eventOf(transition)}, if ${guard}`
}

/** In the place of an event, where none is needed. */
export const atOnce = "at once"

export const eventOf = ({ eventType }: AnyTransitionDefinition) =>
  eventType === "" ? atOnce : eventName(eventType)

/** With what it is asked about, where the machine says that: `ends as cancelled`. */
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

/** Of actions or guards, those that the machine itself declares; timers, for one, add actions of xstate's own. */
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
