import { expect, it } from "vitest"

// Loaded by the test: were a definition wrong, the others could not even begin, which is no failed test.
it.each([
  ["job-machine", "jobMachine"],
  ["crash-machine", "crashMachine"],
  ["supervisor-machine", "supervisorMachine"],
  ["system-machine", "systemMachine"],
])("xstate accepts the definition in %s", async (file, name) => {
  const loaded = await import(`../../src/machines/${file}.ts`)
  const machine = loaded[name]
  expect(machine.id).toBe(name.replace("Machine", ""))
  expect(machine.root).toBeDefined()
})
