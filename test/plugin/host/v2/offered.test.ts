import { describe, expect, it } from "vitest"
import type { Context } from "../../../../src/plugin/host/v2/api.ts"
import { completed, type Offered } from "../../../../src/plugin/host/v2/offered.ts"

const everyCall = {
  agent: ["list"],
  model: ["list"],
  session: [
    "create",
    "get",
    "context",
    "prompt",
    "synthetic",
    "wait",
    "interrupt",
    "update",
    "switchModel",
    "move",
    "hook",
  ],
  permission: ["list", "reply", "hook"],
  storage: ["get", "set", "remove", "scan"],
  tool: ["list", "transform"],
  event: ["subscribe"],
} satisfies { [Part in keyof Context]?: string[] }
const names = Object.entries(everyCall).flatMap(([part, calls]) => calls.map((call) => `${part}.${call}`))

/** What the call of that name comes to. */
async function outcome(context: object, name: string): Promise<unknown> {
  const [part = "", call = ""] = name.split(".")
  const given = Reflect.get(Reflect.get(context, part), call)({})
  if (!(Symbol.asyncIterator in given)) return given
  for await (const event of given) return event
}

/** An opencode whose calls give their names, and need to be called as methods. */
function offering(names: readonly string[]): Offered {
  const parts: Record<string, Record<string, unknown>> = {}
  for (const name of names) {
    const [part = "", call = ""] = name.split(".")
    parts[part] = { ...parts[part], part, [call]: methodOf(call) }
  }
  return parts
}

function methodOf(call: string) {
  type Part = { part: string }
  return call === "subscribe"
    ? async function* (this: Part) {
        yield `${this.part}.${call}`
      }
    : async function (this: Part) {
        return `${this.part}.${call}`
      }
}

describe("What an opencode offers its plugins", () => {
  it.each([...names, "session.remove"])("is called as it is where it is there: %s", async (name) => {
    const { context, missing } = completed(offering([...names, "session.remove"]))
    expect(missing).toEqual([])
    expect(await outcome(context, name)).toBe(name)
  })

  it.each<[string, Offered]>([
    ["the parts", {}],
    ["the calls", { ...Object.fromEntries(Object.keys(everyCall).map((part) => [part, {}])), app: {} }],
  ])("is named where it lacks all %s, and each call fails with its name", async (_, offered) => {
    const { context, missing } = completed(offered)
    expect(missing.toSorted()).toEqual(names.toSorted())
    for (const name of names) {
      await expect(outcome(context, name)).rejects.toThrow(
        `opencode of an unknown version offers its plugins no ${name}`,
      )
    }
    expect(context.session.remove, "which no opencode has to have").toBeUndefined()
    expect(context.location.directory).toBe(process.cwd())
  })

  it("says which version lacks what, and for where and with which options it is", async () => {
    const given = { app: { version: "2.0.15" }, location: { directory: "/project" }, options: { depth: 2 } }
    const { context } = completed(given)
    expect(context).toMatchObject(given)
    await expect(context.agent.list()).rejects.toThrow("opencode 2.0.15 offers its plugins no agent.list")
  })
})
