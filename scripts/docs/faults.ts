import { cases } from "../../test/e2e/faults/cases.ts"
import { CALLS, WAYS, ways } from "../../test/e2e/faults/fault.ts"
import type { Document } from "./documents.ts"
import { code, table } from "./markdown.ts"

/** `docs/faults.md`: what an owner sees when a call to opencode fails. */
export function faultDocuments(): Document[] {
  const rows = cases
    .toSorted((a, b) => CALLS.indexOf(a.call) - CALLS.indexOf(b.call))
    .map(({ call, when, outcomes }) => [code(call), when, ...ways.map((way) => outcomes[way])])
  const text = `${[
    "# When a call to opencode fails",
    "Each call that the plugin makes (the names are those of `src/plugin/host/client.ts`) is spoiled in each way, between the plugin and the real opencode, while a job goes through the situation beside it. The cell says what its owner sees *while the fault lasts*.",
    "Once it is over, the same holds after every one of them: the next job runs as ever; each end was told exactly once; no prompt was asked twice; no child works on that nobody waits for; no session is left behind; and opencode's store says how each job ended.",
    table(
      ["way", "what happens"],
      ways.map((way) => [way, WAYS[way]]),
    ),
    table(["call", "while", ...ways], rows),
    "- *refused*: the tool's error says that nothing was started, and why.",
    "- *failed (kind)*, *timedOut (kind)*: the job has ended so, with what its child had written.",
    "- *error: not told*: the tool's error says that the message was not sent, or that it is not known.",
    "- *told once*: late, when opencode answers again, but once.",
    "The plugin waits 10 s for an answer, 30 s for a new session, and for a prompt as long as its job may take; a child that has been idle for 5 s is looked at, in case its answer got lost. Records, aborts, notifications and the look for earlier jobs are tried again. One thing stays: a request for a session that reaches opencode twice leaves an empty one, which the plugin knows nothing of.",
    "Made by `npm run docs` from `test/e2e/faults/cases.ts`, which `test/e2e/faults.test.ts` holds against opencode: one case of each in `npm test`, all in `npm run test:deep`.",
  ].join("\n\n")}\n`
  return [{ path: "docs/faults.md", text }]
}
