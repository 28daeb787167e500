import fc from "fast-check"
import { beforeEach } from "vitest"

// Loaded beside a suite that has to find a planted bug. Its first failure says that it does, so the rest is left out.
// The races draw the same each time: whether they find a rare bug is no matter of luck.
fc.configureGlobal({ seed: 1, endOnFailure: true })

let hasFailed = false
beforeEach(({ skip, onTestFailed }) => {
  skip(hasFailed, "the bug is found")
  onTestFailed(() => {
    hasFailed = true
  })
})
