import { expect, it, vi } from "vitest"
import { spoken } from "../../src/terminal/view/spoken.ts"

const screen = () => ({
  toast: vi.fn(),
  prompt: vi.fn(async () => "yes"),
})

it("What opencode's own dialogs and toasts say holds nothing that a terminal would carry out or that hides", async () => {
  const own = screen()
  const { toast, prompt } = spoken(own)
  toast({ message: "opencode refused:\n\u001b[2J\u202egone", variant: "error" })
  await prompt({ title: "To a\u202eb", placeholder: "Which\none\u0007?" })
  expect(own.toast.mock.calls).toEqual([
    [{ message: "opencode refused:\n\\u{1b}[2J\\u{202e}gone", variant: "error" }],
  ])
  expect(own.prompt.mock.calls).toEqual([[{ title: "To a\\u{202e}b", placeholder: "Which one\\u{7}?" }]])
})

it("A toast leaves room for what is below it", () => {
  const own = screen()
  spoken(own).toast({ message: "x".repeat(10_000), variant: "error" })
  expect(own.toast.mock.calls).toEqual([[{ message: "x".repeat(400), variant: "error" }]])
})
