import { describe, expect, it } from "vitest"
import type { ActorNode } from "../../../src/machines/actor-tree.ts"
import { allActors } from "../../../src/plugin/person/actors.ts"

const node = (kind: ActorNode["kind"], id: string, children: ActorNode[] = []): ActorNode => ({
  kind,
  id,
  state: "active",
  counts: {},
  children,
})

const shape = ({ kind, id, state, children }: ActorNode): unknown => [
  `${kind} ${id} ${state}`,
  ...children.map(shape),
]

describe("The tree of all actors", () => {
  const system = node("system", "system", [
    node("supervisor", "ses_a", [node("job", "j1"), node("job", "j2")]),
    node("supervisor", "ses_b", [node("job", "j1")]),
  ])

  it("has each turn under its job, deliveries, budgets and writers under their owner's supervisor", () => {
    const tree = allActors(system, {
      turns: () => [{ job: { owner: "ses_b", id: "j1" }, session: "ses_child", state: "asking.waiting" }],
      deliveries: () => [{ owner: "ses_a", state: "busy" }],
      budgets: () => [
        { owner: "ses_b", name: "batch", state: "keeping" },
        { owner: "ses_gone", name: "ses_gone", state: "spent" },
      ],
      writers: () => [{ session: "ses_of_j2", state: "retrying" }],
      jobOf: () => ({ owner: "ses_a", id: "j2" }),
    })
    expect(shape(tree)).toEqual([
      "system system active",
      [
        "supervisor ses_a active",
        ["job j1 active"],
        ["job j2 active"],
        ["delivery ses_a busy"],
        ["writer j2 retrying"],
      ],
      ["supervisor ses_b active", ["job j1 active", ["turn j1 asking.waiting"]], ["budget batch keeping"]],
    ])
  })

  it("has those under the system whose owner has no supervisor any more", () => {
    const tree = allActors(node("system", "system"), {
      turns: () => [],
      deliveries: () => [{ owner: "ses_a", state: "window" }],
      budgets: () => [{ owner: "ses_a", name: "ses_a", state: "keeping" }],
      writers: () => [{ session: "ses_child", state: "writing" }],
      jobOf: () => undefined,
    })
    expect(shape(tree)).toEqual([
      "system system active",
      ["delivery ses_a window"],
      ["writer ses_child writing"],
    ])
  })
})
