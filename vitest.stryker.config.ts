import { defineConfig } from "vitest/config"

/** What `npx stryker run` judges: the quick tests of the machines. The walks take the same ways and far longer. */
export default defineConfig({
  test: {
    include: ["test/machines/**/*.test.ts"],
    exclude: ["test/machines/{walk,races}.test.ts"],
  },
})
