import type { HostAgent, ModelChoice } from "../../host/port.ts"
import type { Task } from "../arguments.ts"

/** One of the asked tasks: it can start, or there is a reason why not. */
export type Item = Sound | Refused

export type Sound = {
  name: string
  task: Task
  agent: HostAgent
  choice?: ModelChoice | undefined
  /** The task's own; nothing where it lists none. */
  fallbacks?: ModelChoice[] | undefined
  /** Why another agent has it than a task gets that names none. */
  why?: string | undefined
}

export type Refused = { name: string; refused: string }
