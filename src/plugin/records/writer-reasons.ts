import type { Reasons } from "../../machines/reasons.ts"

/** Why each transition of the writer machine is there. Read by `npm run docs` alone. */
export const writerReasons: Reasons = {
  dirty: {
    "at once, if has urgent changes":
      "What nothing else in opencode records must be stored before anybody acts on it: an end that was decided, a new run, a delivery that was undone.",
    "after soon":
      "Time enough for what usually follows: the run ended, then its result was delivered. One write has both.",
    "record.changed": "It goes into the same write. The clock is not started again: nothing waits for ever.",
    "others.due":
      "What is written in one go costs opencode half of what it costs one by one, with pauses between them.",
    "store.closing": "There is no time to wait for others.",
  },
  writing: {
    "record.changed": "It may be too late for the write under way: it is kept for the next one.",
  },
  open: {
    "store.closing": "The write under way is waited for: two at once could overtake each other.",
    "write done, if was refused":
      "The session is gone, its metadata is damaged, or another process runs the job: no attempt would change that.",
    "write done, if has changes": "More changed meanwhile. It waits for others again, unless it is urgent.",
    "write done": "All is written.",
    "write failed": "Nothing is lost: it is written with what comes next, or once opencode accepts it.",
  },
  closing: {
    "write done, if was refused": "No attempt would change that.",
    "write done, if has changes": "What changed meanwhile has not been tried yet.",
    "write done": "All is written.",
    "write failed": "The plugin closes: a later attempt could overwrite what its successor has written.",
  },
  retrying: {
    "at once, if has urgent changes": "Somebody is waiting for it, and opencode may accept it by now.",
    "after backoff": "opencode may accept it by now.",
    "record.changed": "It goes into the next attempt and replaces older values.",
    "store.closing": "One last attempt is made at once.",
  },
  draining: {
    "lastWrite done, if was refused": "No attempt would change that.",
    "lastWrite done": "All is written.",
    "lastWrite failed": "There is nobody left to try again. Recovery reads from messages what it can.",
  },
}
