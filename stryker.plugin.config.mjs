import { machines } from "./stryker.config.mjs"

/**
 * The tools and what they stand on, judged by the quick tests of test/plugin; the rest of src/plugin by test/e2e.
 *
 * What survives is equivalent, or costs only time: `[]` and `""` where nothing looks at them, look-ups that spare a
 * parse, one more attempt to tell an owner that has nothing unread, and what races and planted bugs prove instead.
 */
export default {
  ...machines,
  vitest: { ...machines.vitest, dir: "test/plugin" },
  mutate: [
    "src/plugin/tools/*.ts",
    "src/plugin/{render,notify,inbox,permissions,messages,transcript,texts,throttle,shown-progress}.ts",
    "src/plugin/{store,stored-job,watch,options,ids,drafts,owners}.ts",
  ],
  jsonReporter: { fileName: "reports/mutation/plugin.json" },
  thresholds: { high: 95, low: 91, break: 91 },
}
