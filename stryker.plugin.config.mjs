import { machines } from "./stryker.config.mjs"

/** The tools, what they stand on, toasts and what opencode says, judged by the quick tests of test/plugin; the rest of src/plugin by test/e2e. */
export default {
  ...machines,
  vitest: { ...machines.vitest, dir: "test/plugin" },
  mutate: [
    "src/plugin/tools/*.ts",
    "src/plugin/{children,records,owners}/*.ts",
    "src/plugin/{options,host/prompt-ids}.ts",
    "src/plugin/util/{backoff,parse,throttle,within}.ts",
    "src/plugin/person/toast*.ts",
    "src/plugin/host/v1/{decode,events}.ts",
    "src/plugin/host/v2/{decode,events,rules,stored-sessions}.ts",
  ],
  jsonReporter: { fileName: "reports/mutation/plugin.json" },
}
