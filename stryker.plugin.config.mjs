import { machines } from "./stryker.config.mjs"

/** The tools and what they stand on, judged by the quick tests of test/plugin and test/util; the rest of src/plugin by test/e2e. */
export default {
  ...machines,
  vitest: { ...machines.vitest, dir: "test" },
  mutate: [
    "src/plugin/tools/**/*.ts",
    "src/plugin/{children,records,owners}/*.ts",
    "src/plugin/children/schema/*.ts",
    "src/plugin/children/check/{red,shell,tail}.ts",
    "src/plugin/options.ts",
    "src/plugin/worktrees/{errors,names,note}.ts",
    "src/plugin/person/toast*.ts",
    "src/plugin/host/{answers,prompt-ids,rules}.ts",
    "src/plugin/host/v2/{begun-deliveries,offered,rules,storage,stored-sessions}.ts",
    "src/plugin/util/{backoff,each-limited,error-words,problems,throttle,whole-ms,within}.ts",
    "src/util/*.ts",
  ],
  jsonReporter: { fileName: "reports/mutation/plugin.json" },
}
