import { execFileSync } from "node:child_process"
import { it } from "vitest"

it("each exception to mutation testing stands in the code that it is about", () => {
  // Throws where one does not.
  execFileSync(process.execPath, ["stryker.ignore.mjs"], { stdio: "pipe" })
})
