/**
 * The machines, judged by their own quick tests: test/machines, without the walks and races.
 *
 * What survives is equivalent: `[]` in a `flatMap` over what cannot be missing, a guard whose absence leads to the
 * same state by another way, an option of the machine that is always provided from outside.
 */
export const machines = {
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner", "./stryker.ignore.mjs"],
  ignorers: ["machine definitions"],
  vitest: { configFile: "vitest.stryker.config.ts", dir: "test/machines" },
  tsconfigFile: "none: typescript 7 has no API that stryker could read it with",
  // The reasons are words for documents alone.
  mutate: ["src/machines/*.ts", "!src/machines/reasons.ts"],
  ignorePatterns: ["dist", "bench", "demo", "docs", "scripts", "src/inspector", "test/e2e", "test/inspector"],
  concurrency: 2,
  timeoutMS: 10_000,
  reporters: ["clear-text", "json", "progress-append-only"],
  jsonReporter: { fileName: "reports/mutation/machines.json" },
  clearTextReporter: { logTests: false, reportTests: false },
  thresholds: { high: 95, low: 92, break: 92 },
}

export default machines
