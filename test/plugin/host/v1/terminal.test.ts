import { describe, expect, it, vi } from "vitest"
import { carryOut, commandIn } from "../../../../src/plugin/host/v1/terminal.ts"
import { commandPrefix } from "../../../../src/terminal/contract.ts"

const eventOf = (command: string) => ({ type: "tui.command.execute", properties: { command } })

describe("What the terminal of 1.18 asks for", () => {
  it.each([
    { act: "inspect" },
    { act: "cancel", session: "ses_1" },
    { act: "send", session: "ses_1", message: "go on" },
  ] as const)("is in a command that it publishes: %o", (command) => {
    expect(commandIn(eventOf(`${commandPrefix}${JSON.stringify(command)}`))).toEqual(command)
  })

  it.each([
    eventOf("session.new"),
    eventOf(`${commandPrefix}{`),
    eventOf(`${commandPrefix}{"act":"delete","session":"ses_1"}`),
    eventOf(`${commandPrefix}{"act":"send","session":"ses_1"}`),
    { type: "session.updated", properties: {} },
  ])("is nothing else: %o", (event) => {
    expect(commandIn(event)).toBeUndefined()
  })

  it("is done", async () => {
    const service = {
      list: vi.fn(),
      glance: vi.fn(),
      standings: vi.fn(),
      read: vi.fn(),
      inspect: vi.fn(async () => ({ link: "http://127.0.0.1:1/#link=x" })),
      cancel: vi.fn(),
      send: vi.fn(async () => {}),
    }
    expect(await carryOut({ act: "inspect" }, service)).toBe(
      "The inspector, for ten minutes:\nhttp://127.0.0.1:1/#link=x",
    )
    await carryOut({ act: "cancel", session: "ses_1" }, service)
    await carryOut({ act: "send", session: "ses_2", message: "go on" }, service)
    expect(service.cancel).toHaveBeenCalledWith({ act: "cancel", session: "ses_1" })
    expect(service.send).toHaveBeenCalledWith({ act: "send", session: "ses_2", message: "go on" })
  })
})
