import { readFileSync } from "node:fs"
import { beforeAll, describe, expect, it } from "vitest"
import { createVitest, type TestModule } from "vitest/node"
import { isDeep } from "../support/depth.ts"
import { type PlantedBug, plantedBugs } from "../support/planted-bugs.ts"

const bugs = Object.values(plantedBugs).flat()
const sound = "nothing is planted"
/** As for the unit tests: seconds pass on a busy machine, and what fails only because of that has found nothing. */
const testTimeout = 30_000
/** A bug may make a suite run for ever: for each, ten times what it takes on an idle machine. Milliseconds. */
const limit = 20_000 * bugs.flatMap(({ suites }) => suites).length

/**
 * Only in a deep run, for it takes minutes. Every suite runs once on the sound source, and once for each bug
 * that it must find: all in one run of vitest, where each bug is a project whose only peculiarity is that a file reads
 * otherwise.
 */
async function run(): Promise<Map<string, TestModule[]>> {
  const suites = [...new Set(bugs.flatMap((bug) => bug.suites))]
  // Sound races are run often enough elsewhere; those with a bug, until it is found.
  const projects = [
    { test: { name: sound, include: suites, env: { TROUPE_RACES: "20" }, testTimeout } },
    ...bugs.map((bug) => ({
      plugins: [plant(bug)],
      test: {
        name: bug.what,
        include: bug.suites,
        env: { TROUPE_RACES: "3000" },
        setupFiles: ["test/support/first-failure.ts"],
        testTimeout,
      },
    })),
  ]
  const options = { config: false as const, watch: false, reporters: [{}], maxWorkers: 2 }
  const vitest = await createVitest("test", options, { test: { projects } })
  const tooLong = setTimeout(() => void vitest.close(), limit)
  await vitest.start()
  clearTimeout(tooLong)
  const modules = new Map<string, TestModule[]>()
  for (const module of vitest.state.getTestModules()) {
    modules.set(module.project.name, [...(modules.get(module.project.name) ?? []), module])
  }
  await vitest.close()
  // That tests failed in there is what was wanted.
  process.exitCode = undefined
  return modules
}

function plant({ file, edits }: PlantedBug) {
  return {
    name: "a planted bug",
    enforce: "pre" as const,
    transform: (source: string, id: string) => (id.endsWith(`/${file}`) ? planted(source, edits) : undefined),
  }
}

const planted = (source: string, edits: PlantedBug["edits"]) =>
  edits.reduce((text, { from, to }) => text.replace(from, () => to), source)

let results: Map<string, TestModule[]>
beforeAll(async () => {
  if (isDeep) results = await run()
}, limit + 10_000)

it.each(bugs)("$what: can be planted in the source as it is", ({ file, edits }) => {
  const source = readFileSync(file, "utf8")
  for (const { from } of edits) expect(source.split(from).length - 1, `${file} has once: ${from}`).toBe(1)
})

it.runIf(isDeep)("With nothing planted, all of these suites pass", () => {
  const modules = results.get(sound) ?? []
  expect(modules.length).toBeGreaterThan(0)
  expect(modules.filter((module) => module.state() !== "passed").map((module) => module.moduleId)).toEqual([])
})

for (const [title, planted] of Object.entries(plantedBugs)) {
  describe.runIf(isDeep)(title, () => {
    it.each(planted)("$what", ({ what, suites }) => {
      const modules = results.get(what) ?? []
      expect(modules).toHaveLength(suites.length)
      for (const module of modules) {
        const { moduleId } = module
        // A file that does not even load would prove nothing.
        expect(module.errors(), moduleId).toEqual([])
        expect([...module.children.allTests("failed")].length, `${moduleId} finds it`).toBeGreaterThan(0)
      }
    })
  })
}
