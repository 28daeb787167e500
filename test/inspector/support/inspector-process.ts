import { defaultFolder } from "../../../src/inspector/discovery/register.ts"
import { startInspector } from "../../../src/inspector/index.ts"
import { pageStub } from "./page-stub.ts"
import { scriptedTroupe } from "./scripted-troupe.ts"

/** Runs by itself, in Node or in opencode's Bun: an inspector with narrow limits, whose address it prints, and then what it reports. */
const inspector = await startInspector({
  source: scriptedTroupe().source,
  options: { token: process.env.TOKEN },
  page: pageStub,
  registerFolder: process.env.REGISTERED === "yes" && defaultFolder(),
  limits: { arrivalMs: 500, connections: 24 },
  reportError: (error) => void process.stdout.write(`${error}\n`),
})
process.stdout.write(`${inspector.url}\n`)
// It ends with the test that reads what it says.
process.stdin.resume().once("end", () => process.exit())
