import { expect, it } from "vitest"
import type { AnyStateNode } from "xstate"
import { jobMachine } from "../../src/machines/job-machine.ts"
import { supervisorMachine } from "../../src/machines/supervisor-machine.ts"
import { systemMachine } from "../../src/machines/system-machine.ts"

const withInner = (node: AnyStateNode): AnyStateNode[] => [
  node,
  ...Object.values(node.states).flatMap(withInner),
]

it.each([jobMachine, supervisorMachine, systemMachine])(
  "Every state of the $id machine says in a sentence what it means",
  ({ root }) => {
    for (const { id, description } of withInner(root))
      expect(description, id).toMatch(/^([A-Z]|opencode ).+\.$/)
  },
)
