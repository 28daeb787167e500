/**
 * Why each transition of the machines is there, by the state that it leaves (`root` for the machine itself) and by
 * what brings it: the event as `eventName` shortens it, and the guard. Beside the machines, so that they stay
 * diagrams, and read by `npm run docs` alone, so that nothing of it ships. A transition without a reason, or a reason
 * without its transition, fails `npm run check`.
 */
export type Reasons = Record<string, Record<string, string>>

export const jobReasons: Reasons = {
  opening: {
    "at once, if has a session": "A follow-up goes on in the session that it has.",
    "openSession done": "The child session is there, and the record in it.",
    "openSession failed": "opencode did not make one: the job fails, unless it was cancelled before.",
    "after openLimit": "opencode takes too long, and nobody may wait for ever.",
    "slot.granted": "Its turn came before its session did: the slot is kept for it.",
    "job.cancel": "The end is decided but waits for the session, so that none is left behind unrecorded.",
  },
  opened: {
    "at once, if was cancelled in its session":
      "It was cancelled while it opened, and the session is there all the same: that is stored in it.",
    "at once, if ends as cancelled": "It was cancelled while it opened, and has no session.",
    "at once, if ends as failed": "There is no session to ask in.",
    "at once, if has a slot": "Its turn came while it opened. The clocks start only now.",
    "at once": "Its turn is still to come.",
  },
  queued: {
    "slot.granted": "Its turn: the clocks start, and the child is asked.",
    "job.cancel": "The child was never asked, so there is nothing to stop, but a restart must not start it.",
  },
  running: {
    "promptChild done, if answer is an error":
      "Errors of the model and its provider come inside an answer: never `done` with an empty text.",
    "promptChild done": "The child has given its final answer.",
    "promptChild failed":
      "Neither the call nor the child's messages have an answer. What may still run is stopped.",
    "child.spent": "What it costs is known while it runs.",
    "job.cancel": "The child is at work and has to be stopped first.",
  },
  active: {
    "after total": "It had its time; what people took did not count.",
    "child.active, if runs a tool":
      "Other calls and subagents of the child: the idle clock stands still anyway.",
    "child.active": "The idle clock starts again, the total one goes on.",
    "tool.started": "A build or a test may be silent for longer than any idle timeout.",
    "child.retrying": "The provider failed and opencode backs off.",
    "child.asked": "It waits for a person: the clocks stop, and what is left of the total time is kept.",
  },
  working: {
    "at once, if runs a tool": "Another tool still runs, or the one that asked a person.",
    "after idle": "A child that hangs must not keep its slot for ever.",
  },
  busy: {
    "child.idle": "Between two steps this lasts a moment; longer, and the answer may have got lost.",
  },
  lull: {
    "after lullLimit": "No pause between two steps is that long.",
  },
  looking: {
    "lookForAnswer done": "If it was there, the prompt returns with it. If not, it is looked for again.",
    "lookForAnswer failed": "opencode did not say: it is asked again.",
  },
  runningTool: {
    "tool.ended": "The model's turn, unless other tools still run: the idle clock starts.",
    "child.idle": "Nothing of it runs any more, so the end of its tools was missed.",
  },
  retrying: {
    "child.idle": "opencode gave up, or the child was aborted: there is no attempt to wait for.",
    "after idleAfterRetry": "Nothing was heard of the attempt that opencode had announced.",
  },
  waiting: {
    "child.active": "Other calls of the child may go on meanwhile. The clocks stay stopped.",
    "tool.started": "The tool that asks, or another one.",
    "tool.ended": "Another tool of the child, which did not have to wait.",
    "child.asked": "Several asks may be open at once.",
    "child.answered, if was the last ask":
      "Nobody is waited for any more: the clocks go on with what was left.",
    "child.answered": "Other asks are still open.",
  },
  permission: {
    "at once, if waits for an answer": "Of the open asks the oldest is shown, and it is a question.",
  },
  question: {
    "at once, if waits for permission": "Of the open asks the oldest is shown, and it is for a permission.",
  },
  "created.stopping": {
    "recordEnd done": "A restart finds it, and does not start the job.",
    "recordEnd failed":
      "opencode could not store it: its owner is told all the same, and storing it is tried again.",
    "after recordLimit": "The same, where opencode does not answer.",
  },
  "prompting.stopping": {
    "stopping over, if ends as cancelled": "It was cancelled.",
    "stopping over, if ends as timedOut": "A clock ran out.",
    "stopping over": "The prompt failed.",
  },
  recording: {
    "recordEnd done": "A restart finds the decision, whatever happens now.",
    "recordEnd failed":
      "opencode could not store it: the child is stopped all the same, and storing it is tried again.",
    "after recordLimit": "The same, where opencode does not answer.",
  },
  aborting: {
    "stopChild done": "What it had written is kept, and what it had used.",
    "stopChild failed": "opencode could not stop it or does not say: the decision stands.",
    "after stopLimit": "opencode takes too long: the decision stands.",
  },
}

export const supervisorReasons: Reasons = {
  root: {
    "job.start, if job is unknown":
      "A second job of the same id would take the first one's place and leave it running unseen.",
    "job.start": "An id that lives already changes nothing.",
    "job.tell":
      "What happens outside reaches a job through its supervisor. One that has ended does not hear it.",
    "xstate.snapshot.*": "Each change of a job becomes its record, which is what everybody else reads.",
    "* done": "A job has ended: its record is final, its actor goes, its slot is given back.",
    "* failed": "A defect of ours in one job: it ends as `failed`, and its siblings do not notice.",
  },
}

export const systemReasons: Reasons = {
  root: {
    "owner.tell":
      "An owner gets its supervisor with its first job. Without one, nobody is there to hear the rest.",
    "slot.request": "A job stands in line from its start. Free slots are handed out at once.",
    "slot.release": "A job has ended: the next one may prompt.",
    "supervisor.idle, if has heard all":
      "A supervisor without jobs goes; one that is about to be told of a job stays.",
    "owner.end":
      "The owner's jobs have ended by now. Should one still be stopping, its slot is not lost with it.",
    "* failed": "A defect of ours in one supervisor: its jobs end as `failed`, their slots are free again.",
  },
}
