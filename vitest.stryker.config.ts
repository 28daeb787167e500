import { defineConfig } from "vitest/config"
import type { Reporter, Vitest } from "vitest/node"

/** To stryker, a test file that cannot be loaded is one without tests: here it is an error of the run. */
function loadErrors(): Reporter {
  let vitest: Vitest | undefined
  return {
    onInit(given) {
      vitest = given
    },
    onTestModuleEnd(module) {
      for (const error of module.errors()) vitest?.state.catchError(new Error(`${module.relativeModuleId}: ${error.message}`), "Unhandled Error")
    },
  }
}

/**
 * The tests by which `npm run mutate` judges: the machines by those in test/machines, the tools and what they stand
 * on by those in test/plugin and test/util, the quick ones. The others take the same ways, and far longer.
 */
export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: [
      "**/{walk,races,soak,planted-bugs}.test.ts",
      "**/races/**",
      // From test: stryker has no list of folders.
      "{machines,cli,docs,demo}/**",
      // What has git at work.
      "plugin/worktrees/!(errors|names|note).test.ts",
    ],
    // Seconds pass in instrumented code, and on a busy machine; of what hangs, stryker makes an end itself.
    testTimeout: 60_000,
    reporters: [["json", { outputFile: "/tmp/mutM-dry.json" }], loadErrors()],
  },
})
