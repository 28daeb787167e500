import { machines } from "./stryker.config.mjs"

/** The tools and what they stand on, judged by the quick tests of test/plugin; the rest of src/plugin by test/e2e. */
export default {
  ...machines,
  vitest: { ...machines.vitest, dir: "test/plugin" },
  mutate: [
    "src/plugin/tools/*.ts",
    "src/plugin/{children,records,owners}/*.ts",
    "src/plugin/{options,host/prompt-ids}.ts",
    "src/plugin/util/throttle.ts",
  ],
  jsonReporter: { fileName: "reports/mutation/plugin.json" },
}
