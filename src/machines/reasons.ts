/**
 * Why each transition of a machine is there, by the state that it leaves and by its cause. The state is named by its
 * key, `root` for the machine itself; where several have the same key, by those of the states around it as well
 * (`created.stopping`). The cause is the event as `eventName` shortens it, and the guard. Kept apart from the
 * machines, so that they read as diagrams, and read by `npm run docs` alone, so that nothing of it ships. A transition
 * without a reason, or a reason without its transition, fails `npm run check`.
 */
export type Reasons = Record<string, Record<string, string>>

export const jobReasons: Reasons = {
  created: {
    "slot.held":
      "Its provider wants to be asked later, or no longer does: its record says until when it cannot start. A slot that it got before its session goes back.",
    "subagent.spent": "Those of an earlier run, or from before a restart, may go on in the background.",
  },
  prompting: {
    "subagent.spent":
      "What its child has started counts towards budgets, also while the child is left or stopped.",
  },
  "created.opening": {
    "at once, if has a session": "A follow-up continues in the session that it has.",
    "openSession done": "The child session exists, with the record in it.",
    "openSession failed": "opencode did not create it: the job fails, unless it was cancelled before.",
    "after openLimit": "opencode takes too long.",
    "needs.met": "What it needs has ended before its session was there.",
    "need.broken":
      "The end is decided but waits for the session, in which a follow-up can let the job go on.",
    "slot.granted": "It got its slot before its session: the slot is kept for it.",
    "job.cancel":
      "The end is decided but waits for the session, so that none is left behind without a record.",
  },
  opened: {
    "at once, if was ended in its session":
      "It was cancelled while its session was created, or a job that it needs ended otherwise: that is stored in the session.",
    "at once, if ends as cancelled": "It was cancelled, and has no session in which that could be stored.",
    "at once, if ends as failed": "There is no session to prompt.",
    "at once, if is blocked": "Jobs that it needs are still to end.",
    "at once, if has a slot": "It got its slot while its session was created. The clocks start only now.",
    "at once, if another model may start sooner":
      "Its provider was put on hold for long while its session was created: the next model gets one.",
    "at once": "It has to wait for a slot.",
  },
  blocked: {
    "needs.met": "All that it needs has ended as it was to end: it stands in line for a slot.",
    "need.broken": "A job that it needs ended otherwise, so it never will be able to begin.",
    "job.cancel":
      "The child was never prompted, so there is nothing to stop; but a restart must not start the job.",
  },
  "created.queued": {
    "slot.held, if another model may start before":
      "Its provider wants to be asked much later. The child was never asked, so the next model simply takes its place.",
    "slot.held": "Its provider wants to be asked later, or no longer does.",
    "slot.granted": "The clocks start, and the child is prompted.",
    "job.cancel":
      "The child was never prompted, so there is nothing to stop; but a restart must not start the job.",
  },
  "created.stopping": {
    "recordEnd done": "A restart finds the end.",
    "recordEnd failed":
      "opencode could not store it. The job ends all the same, and its record is written again later.",
    "after recordLimit": "opencode does not answer. The job ends all the same.",
  },
  "created.stopped": {
    "at once, if ends as cancelled": "It was cancelled.",
    "at once": "A job that it needs ended otherwise.",
  },
  running: {
    "promptChild done, if another model may do":
      "It has no key, no quota or no such model, which the next model may have.",
    "promptChild done, if answer is an error":
      "Errors of the model and its provider come inside an answer: never `done` with an empty text.",
    "promptChild done, if has to pass a check":
      "Its word alone is not enough: the command of its task decides.",
    "promptChild done": "The child has given its final answer.",
    "promptChild failed":
      "Neither the call nor the child's messages have an answer. Whatever may still be running is stopped.",
    "child.spent": "Tokens and cost are known while the job runs.",
    "job.cancel": "The child is at work and has to be stopped first.",
  },
  active: {
    "after total": "The total time ran out; time spent waiting for people did not count.",
    "child.active, if runs a tool":
      "Other calls and subagents of the child work meanwhile. The idle clock is paused anyway.",
    "child.active": "The idle clock starts again, the total clock goes on.",
    "tool.started": "A build or a test may be silent for longer than any idle timeout.",
    "child.retrying, if another model may be sooner":
      "The provider wants to be asked much later, or has failed time and again.",
    "child.retrying": "The provider failed and opencode backs off.",
    "child.asked":
      "The child waits for a person: the clocks are paused, and the rest of the total time is kept for later.",
  },
  working: {
    "at once, if runs a tool": "Another tool still runs, or the tool whose permission was just granted.",
    "after idle": "A child that hangs must not keep its slot for ever.",
  },
  busy: {
    "child.idle": "Between two steps this lasts a moment. If it lasts longer, the answer may have got lost.",
  },
  lull: {
    "after lullLimit": "No pause between two steps is that long.",
  },
  looking: {
    "lookForAnswer done": "If the answer is there, the prompt returns it. If not, it is looked for again.",
    "lookForAnswer failed": "opencode did not answer: it is asked again.",
  },
  runningTool: {
    "tool.ended": "It is the model's turn: the idle clock starts, unless other tools still run.",
    "child.idle": "No tool of the child runs any more: the event of its end got lost.",
  },
  retrying: {
    "child.idle": "opencode gave up, or the child was aborted: there is no further attempt to wait for.",
    "after idleAfterRetry": "There was no activity after the attempt that opencode had announced.",
  },
  waiting: {
    "child.active": "Other calls of the child may go on meanwhile. The clocks stay paused.",
    "tool.started": "The tool that requests the permission, or another one.",
    "tool.ended": "Another tool of the child, which did not have to wait.",
    "child.asked": "Several requests may be open at once.",
    "child.answered, if was the last ask":
      "Nobody is waited for any more: the clocks continue with the time that was left.",
    "child.answered": "Other requests are still open.",
  },
  permission: {
    "at once, if waits for an answer": "The oldest open request is shown, and it is a question.",
  },
  question: {
    "at once, if waits for permission": "The oldest open request is shown, and it is for a permission.",
  },
  checking: {
    "runCheck done, if passed": "Done means proven.",
    "runCheck done, if may be corrected":
      "The child is told in the same session, with the end of the output, and answers again.",
    "runCheck done": "It was told as often as it may be: the job fails, with its answer kept.",
    "runCheck failed":
      "It could not be run, or not be recorded, or may have been run before: it is not run twice for one answer.",
    "after total": "The total time ran out: the command is ended with all that it has started.",
    "child.spent": "What it has used may be told after its answer.",
    "job.cancel": "The command is ended with all that it has started.",
  },
  moving: {
    "slot.held": "The provider of the next model wants to be asked later, or no longer does.",
  },
  leaving: {
    "leaveChild done, if may have changed something":
      "What it has changed must not be done twice without anybody knowing: the job fails and says so.",
    "leaveChild done": "Nothing is lost that the next model would not do again.",
    "leaveChild failed": "It might work on beside the next one, or have changed something: it is not left.",
    "after leaveLimit": "opencode takes too long to say that the child has stopped.",
    "job.cancel": "There is no next session yet.",
  },
  "prompting.moving.opening": {
    "openSession done, if is to end":
      "It was cancelled while the session was created: the cancellation is stored in that session.",
    "openSession done, if has a slot": "The next model is asked, with what is left of the total time.",
    "openSession done, if another model may start sooner":
      "Meanwhile the provider of this one was put on hold for long, too.",
    "openSession done": "The next model has limits of its own: it has to wait for a slot.",
    "openSession failed": "There is no session to ask it in.",
    "after openLimit": "opencode takes too long.",
    "slot.granted": "It got its slot before its session: the slot is kept for it.",
    "job.cancel":
      "The end is decided but waits for the session, so that none is left behind without a record.",
  },
  "prompting.moving.queued": {
    "slot.held, if another model may start before":
      "The provider of this one wants to be asked much later, too. It was never asked.",
    "slot.held": "The provider of this one wants to be asked later, or no longer does.",
    "slot.granted": "The next model is asked, with what is left of the total time.",
    "job.cancel": "The next model was never asked; the end is stored in the session made for it.",
  },
  "prompting.stopping": {
    "stopping over, if ends as cancelled": "It was cancelled.",
    "stopping over, if ends as timedOut": "A clock ran out.",
    "stopping over": "The prompt failed.",
  },
  recording: {
    "recordEnd done": "A restart finds the decision, whatever happens now.",
    "recordEnd failed":
      "opencode could not store it. The child is stopped all the same, and the record is written again later.",
    "after recordLimit": "opencode does not answer. The child is stopped all the same.",
  },
  aborting: {
    "stopChild done": "What the child had written and used is kept.",
    "stopChild failed": "opencode could not stop it, or did not confirm it: the decision stands.",
    "after stopLimit": "opencode takes too long: the decision stands.",
  },
}

export const supervisorReasons: Reasons = {
  root: {
    "job.start, if job is unknown":
      "A second job with the same id would replace the first one and leave it running unseen.",
    "job.start": "A job with this id is alive: nothing changes, but the start is counted.",
    "need.ended":
      "A job of an earlier process has ended, or one whose actor had crashed: of those that wait for it, the ones that wait for no other get in line for a slot; if it ended otherwise than they need, they end.",
    "job.tell":
      "Everything that happens outside reaches a job through its supervisor. An ended job does not receive it.",
    "xstate.snapshot.*": "Each change of a job becomes its record, which is what everybody else reads.",
    "* done":
      "A job has ended: its record is final, those that wait for it go on or end, its actor is removed, its slot is released.",
    "* failed":
      "A defect of ours in one job: another actor ends it as `failed`, and its siblings do not notice.",
  },
}

export const systemReasons: Reasons = {
  root: {
    "owner.tell":
      "An owner gets its supervisor with its first job. Without a supervisor there is nobody to receive anything else.",
    "slot.request": "A job queues for a slot from its start. Free slots are granted at once.",
    "slot.release": "A job has ended: the next one may prompt.",
    "provider.later":
      "A provider is overloaded or limits its rate: further jobs of it would only be told the same. Those of others go on.",
    "provider.answered, if ends a hold":
      "The job that was told to come back later has got through, or one of the same model that has asked since: better proof than any announcement.",
    "hold.over":
      "The time that the provider named has come. Of a longer one than an hour, an hour has passed: one job tries whether it answers by now.",
    "supervisor.idle, if has heard all":
      "A supervisor without jobs is removed, unless it is about to receive another start.",
    "owner.end":
      "The owner's jobs have ended by now. If one is still being stopped, its slot is released here.",
    "* failed": "A defect of ours in one supervisor: its jobs end as `failed`, their slots are released.",
  },
}

export const crashReasons: Reasons = {
  recording: {
    "recordEnd done": "A restart finds the end, whatever happens now.",
    "recordEnd failed":
      "opencode could not store it. The job ends all the same, and its record is written again later.",
    "after recordLimit": "opencode does not answer. The job ends all the same.",
  },
  recorded: {
    "at once, if was prompted": "Its child would work on for nobody.",
    "at once": "There is no child at work.",
  },
  aborting: {
    "stopChild done": "What the child had written and used is kept.",
    "stopChild failed": "opencode could not stop it, or did not confirm it: the end stands.",
    "after stopLimit": "opencode takes too long: the end stands.",
  },
}
