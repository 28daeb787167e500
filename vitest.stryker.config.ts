import { defineConfig } from "vitest/config"

/**
 * The tests by which `npm run mutate` judges: the machines by those in test/machines, the tools and what they stand
 * on by those in test/plugin, the quick ones. The others take the same ways, and far longer.
 */
export default defineConfig({
  test: {
    include: ["**/*.test.ts"],
    exclude: ["**/{walk,races,soak,planted-bugs}.test.ts", "**/races/**"],
  },
})
