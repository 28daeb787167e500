import { expect, it } from "vitest"
import { boundedMessage } from "../../../src/machines/record.ts"
import { quietXState } from "../../machines/support/quiet.ts"
import { failed } from "../support/host-double.ts"
import { testServices } from "../support/services.ts"

quietXState()

const page = "x".repeat(1_000_000)
const most = 2_200

it("Why a job failed is told and stored in 2,000 characters, with how many are left out, whatever a provider answers", async () => {
  const { call, host, store } = testServices()
  await call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
  host.prompts[0]?.settle(failed(page, 400))
  const { jobs, output, metadata } = await call("agents_wait", {})
  const message = `${"x".repeat(2_000)}… (998000 more characters) (HTTP 400)`
  expect(jobs).toMatchObject([{ state: "failed", error: { kind: "prompt", message } }])
  expect(output).toContain(`reason="prompt: ${message}"`)
  expect(JSON.stringify(metadata).length).toBeLessThan(2 * most)
  await store.drain(1_000)
  expect(JSON.stringify([...host.sessions.values()]).length).toBeLessThan(2 * most)
})

it("So is why one was cancelled, whatever its owner writes", async () => {
  const { call } = testServices()
  await call("agents_start", { tasks: [{ id: "a", prompt: "work" }] })
  const { jobs } = await call("agents_cancel", { ids: ["a"], reason: page })
  expect(jobs[0]?.error?.message).toMatch(/^cancelled by its owner: x+… \(998024 more characters\)$/)
})

it("A message that fits is told as it is, and none is cut within a character", () => {
  expect(boundedMessage("x".repeat(2_000))).toBe("x".repeat(2_000))
  expect(boundedMessage(`${"x".repeat(1_999)}😀`)).toBe(`${"x".repeat(1_999)}… (2 more characters)`)
})
