import { defineConfig } from "vitest/config"

/** What `npm run mutate` judges: the quick tests of the machines and the tools. The rest takes the same ways and far longer. */
export default defineConfig({
  test: {
    include: ["test/{machines,plugin}/**/*.test.ts"],
    exclude: [
      "test/machines/{walk,races}.test.ts",
      "test/plugin/{soak,planted-bugs}.test.ts",
      "test/plugin/races/**",
    ],
  },
})
