import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** The files that take longest, so that none is left running alone at the end. */
const longest = [
  "inspector/page",
  "machines/walk",
  "e2e/restarts",
  "e2e/tui",
  "e2e/faults",
  "e2e/inspector",
  "e2e/leases",
  "e2e/soak",
  "e2e/applying",
  "e2e/isolation-jobs",
  "e2e/other-directory",
  "e2e/isolation-kills",
  "e2e/isolation",
  "e2e/tui-attached",
  "e2e/recipes",
  "e2e/crash",
  "e2e/graph-restarts",
]

/** What counts the timers and the memory of its process: those of other files are not to be among them. */
const alone = ["test/plugin/soak.test.ts"]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`))
      return index < 0 ? longest.length : index
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/**
 * Most opencodes of the tests run for seconds, in which Bun's optimizing compilers cost a fifth of all CPU and give
 * nothing back. They start with this environment; one that runs for longer is without the last compiler alone.
 */
const briefOpencode = { BUN_JSC_useDFGJIT: "0" }

export default defineConfig(({ mode }) => {
  // What `test/support/depth.ts` reads.
  const env: Record<string, string> = mode === "deep" ? { TROUPE_DEEP: "1" } : {}
  return {
    test: {
      sequence: { sequencer: LongestFirst },
      projects: [
        {
          test: {
            name: "unit",
            sequence: { groupOrder: 0 },
            include: ["test/{util,shown,terminal,machines,plugin,inspector,cli,docs,demo}/**/*.test.ts"],
            exclude: alone,
            maxWorkers: 2,
            // Loading the same modules for each of 70 files would take as long as half of their tests.
            isolate: false,
            // Seconds pass on a busy machine.
            testTimeout: 30_000,
            env,
          },
        },
        {
          test: {
            name: "alone",
            sequence: { groupOrder: 0 },
            include: alone,
            maxWorkers: 2,
            isolate: true,
            env,
          },
        },
        {
          // Most files run opencode processes of their own and wait for them a good part of their time.
          test: {
            name: "e2e",
            sequence: { groupOrder: 1 },
            include: ["test/e2e/**/*.test.ts"],
            globalSetup: ["test/support/global-setup.ts"],
            testTimeout: 60_000,
            // The first hooks wait for what all have in common, however busy the machine is.
            hookTimeout: 120_000,
            maxWorkers: 3,
            // As above: half a second for each file. What is a file's own is made and ended in its hooks.
            isolate: false,
            // Concurrent tests wait for opencode most of the time, deep ones for faults that take ten seconds.
            maxConcurrency: mode === "deep" ? 8 : 2,
            env: { ...env, ...briefOpencode },
          },
        },
      ],
    },
  }
})
