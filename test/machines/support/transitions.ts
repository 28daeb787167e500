import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition, InspectionEvent } from "xstate"

/** Every transition that a machine declares, named so that a person finds it. */
export function transitionsOf(machine: AnyStateMachine): string[] {
  const named = (node: AnyStateNode): string[] => [
    ...declaredBy(node).map(nameOf),
    ...Object.values(node.states).flatMap(named),
  ]
  return named(machine.root)
}

/** The transitions that an actor has just taken, for its `inspect`. */
export function takenIn(inspected: InspectionEvent): string[] {
  return inspected.type === "@xstate.microstep" ? inspected._transitions.flatMap(nameIfDeclared) : []
}

const names = new WeakMap<AnyTransitionDefinition, string[]>()

function nameIfDeclared(transition: AnyTransitionDefinition): string[] {
  const known = names.get(transition)
  if (known) return known
  const named = declaredBy(transition.source).includes(transition) ? [nameOf(transition)] : []
  names.set(transition, named)
  return named
}

function nameOf(transition: AnyTransitionDefinition): string {
  const { source, eventType, target } = transition
  const alike = declaredBy(source).filter((other) => other.eventType === eventType)
  const targets = target?.map(({ id }) => id).join(", ") ?? "no other state"
  return `${source.id}: ${eventType || "always"} #${alike.indexOf(transition)} -> ${targets}`
}

function declaredBy(node: AnyStateNode): AnyTransitionDefinition[] {
  return [...[...node.transitions.values()].flat(), ...(node.always ?? [])]
}
