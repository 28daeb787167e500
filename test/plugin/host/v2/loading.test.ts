import { expect, it } from "vitest"
import { Loading } from "../../../../src/plugin/host/v2/loading.ts"

it("Whoever wants to hears when the agents of a location have changed, until they want to no more", () => {
  const loading = new Loading("/project")
  const change = (directory: string) => loading.hear({ type: "agent.updated", location: { directory } })
  let heard = 0
  const end = loading.onAgentsChanged(() => void heard++)
  change("/another")
  expect(heard).toBe(0)
  change("/project")
  expect(heard).toBe(1)
  end()
  change("/project")
  expect(heard).toBe(1)
})
