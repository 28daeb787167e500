import { describe, expect, it, vi } from "vitest"
import { noticesOf1, noticesOf2, type TerminalToast } from "../../src/terminal/opencode/notices.ts"

const notified = (message: string) => ({
  title: "opencode-troupe",
  message,
  notification: { when: "blurred" },
  sound: false,
})

function terminalOf1(arrive = vi.fn(async () => {})) {
  const listeners = new Map<string, (event: { properties: object }) => void>()
  const attention = { notify: vi.fn(async () => ({ ok: false, skipped: "attention_disabled" })) }
  const on = (type: string, hear: (event: { properties: object }) => void) => {
    listeners.set(type, hear)
    return () => {}
  }
  noticesOf1({ attention, event: { on } }, arrive)
  const happens = (type: string, properties = {}) => listeners.get(type)?.({ properties })
  return { attention, arrive, happens }
}

describe("A toast of jobs in a terminal of 1.18", () => {
  it("is shown by opencode, and a notification besides", () => {
    const { attention, happens } = terminalOf1()
    const message = "lint asks: Which port?\n/troupe-answer"
    happens("tui.toast.show", { title: "opencode-troupe", message, variant: "warning" })
    expect(attention.notify.mock.calls).toEqual([[notified(message)]])
  })

  it.each([
    ["of others", { title: "Other", message: "done\n/troupe" }],
    ["of the inspector's link", { title: "opencode-troupe", message: "Watch the jobs:\nhttp://here" }],
  ])("is none where it is %s", (_, toast) => {
    const { attention, happens } = terminalOf1()
    happens("tui.toast.show", toast)
    expect(attention.notify).not.toHaveBeenCalled()
  })

  it("may name the commands: the server part hears that they are there, and its next instance too", async () => {
    const { arrive, happens } = terminalOf1(vi.fn(() => Promise.reject(new Error("nobody there"))))
    expect(arrive).toHaveBeenCalledTimes(1)
    happens("server.instance.disposed")
    expect(arrive).toHaveBeenCalledTimes(2)
  })
})

describe("A toast in a terminal of opencode 2", () => {
  function terminalOf2() {
    let hear: (event: { data: TerminalToast; location?: { directory: string } }) => void = () => {}
    const toast = { show: vi.fn() }
    const attention = { notify: vi.fn(() => Promise.reject(new Error("no such terminal"))) }
    const on = (_: string, listener: typeof hear) => {
      hear = listener
      return () => {}
    }
    noticesOf2({
      data: { on },
      ui: { toast },
      attention,
      isHere: (place) => place?.directory !== "/elsewhere",
    })
    return {
      toast,
      attention,
      told: (data: TerminalToast, directory = "/here") => hear({ data, location: { directory } }),
    }
  }

  it("leads to its session, and is a notification besides", () => {
    const { toast, attention, told } = terminalOf2()
    told({ message: "lint failed", variant: "error", duration: 5_000, session: "ses_1" })
    expect(toast.show.mock.calls).toEqual([
      [
        {
          title: "opencode-troupe",
          message: "lint failed",
          variant: "error",
          duration: 5_000,
          sessionID: "ses_1",
        },
      ],
    ])
    expect(attention.notify.mock.calls).toEqual([[notified("lint failed")]])
  })

  it("holds nothing that a terminal would carry out, whatever sent it", () => {
    const { toast, attention, told } = terminalOf2()
    told({
      message: "a\u001b[2Jb\n\u202ec",
      variant: "info",
      duration: "long",
      session: "ses_1",
      more: 1,
    } as object)
    expect(toast.show.mock.calls).toEqual([
      [{ title: "opencode-troupe", message: "ab\nc", variant: "info", sessionID: "ses_1" }],
    ])
    expect(attention.notify.mock.calls).toEqual([[notified("ab\nc")]])
  })

  it.each([{}, { message: 5, variant: "info" }, { message: "a", variant: "loud" }, { message: "a" }])(
    "is none where another version means something else: %j",
    (data) => {
      const { toast, told } = terminalOf2()
      told(data)
      expect(toast.show).not.toHaveBeenCalled()
    },
  )

  it("is none where it is of another directory, which the same opencode serves", () => {
    const { toast, told } = terminalOf2()
    told({ message: "lint failed", variant: "error", session: "ses_1" }, "/elsewhere")
    expect(toast.show).not.toHaveBeenCalled()
  })

  it("is no notification where it is not of a session", () => {
    const { toast, attention, told } = terminalOf2()
    told({ message: 'option "a" is wrong', variant: "warning" })
    expect(toast.show).toHaveBeenCalledTimes(1)
    expect(attention.notify).not.toHaveBeenCalled()
  })
})
