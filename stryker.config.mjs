/**
 * The machines, judged by their own quick tests: test/machines, without the walks and races.
 *
 * None is to survive: what no test can tell apart is in stryker.ignore.mjs, with its reason.
 */
export const machines = {
  testRunner: "vitest",
  plugins: ["@stryker-mutator/vitest-runner", "./stryker.ignore.mjs"],
  ignorers: ["mutants that prove nothing"],
  vitest: { configFile: "vitest.stryker.config.ts", dir: "test/machines" },
  tsconfigFile: "none: typescript 7 has no API that stryker could read it with",
  // The reasons are words for documents alone.
  mutate: ["src/machines/*.ts", "!src/machines/reasons.ts"],
  // Nothing that a test imports. A leading slash is the root: `docs` alone is `scripts/docs` too.
  ignorePatterns: ["/dist", "/bench", "/demo", "/docs", "/test/e2e", "/test/inspector"],
  concurrency: 2,
  timeoutMS: 10_000,
  dryRunTimeoutMinutes: 30,
  reporters: ["clear-text", "json", "progress-append-only"],
  jsonReporter: { fileName: "reports/mutation/machines.json" },
  clearTextReporter: { logTests: false, reportTests: false },
  thresholds: { high: 100, low: 99, break: 99 },
}

export default machines
