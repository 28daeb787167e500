import { expect, it, vi } from "vitest"
import { told } from "../../src/terminal/view/told.ts"

it.each([
  [new Error("opencode is away"), "opencode is away"],
  [{ type: "rpc.internal", message: "RPC call failed" }, "RPC call failed"],
  [{ status: 500 }, '{"status":500}'],
  ["gone", "gone"],
])("A person is told why something failed: %j", async (error, message) => {
  const toast = vi.fn()
  await told({ toast }, () => Promise.reject(error))
  expect(toast.mock.calls).toEqual([[{ message, variant: "error" }]])
})
