/** A bug as somebody might write it some day, and the suites that must fail on it. */
export type PlantedBug = {
  /** What is wrong, in words. */
  what: string
  /** The source file that it is planted in. */
  file: string
  /** Each `from` stands in the file exactly once. */
  edits: { from: string; to: string }[]
  suites: string[]
}

const machineRaces = "test/machines/races.test.ts"
const jobTests = "test/machines/job.test.ts"
const troupeTests = "test/machines/troupe.test.ts"
const turnRaces = "test/plugin/races/turns.test.ts"
const startTests = "test/plugin/tools/starts.test.ts"
const toastTests = "test/plugin/person/toast-machine.test.ts"
const startRaces = "test/plugin/races/start.test.ts"
const followUpRaces = "test/plugin/races/follow-ups.test.ts"
const notifyRaces = "test/plugin/races/notify.test.ts"
const notifyTests = "test/plugin/owners/notify.test.ts"
const storeTests = "test/plugin/records/store.test.ts"
const recoveryTests = "test/plugin/records/recovery.test.ts"

/** The promises of the README and the design, each broken in the ways that are easiest to break it. */
export const plantedBugs: Record<string, PlantedBug[]> = {
  "Something is checked before an await, and not after it": [
    {
      what: "a follow-up does not look whether another has gone on with the job meanwhile",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: "if (current.run !== record.run) return send(current, message)", to: "" }],
      suites: [followUpRaces],
    },
    {
      what: "a follow-up heeds a run under way, but not one that came and went meanwhile",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: "if (current.run !== record.run)", to: "if (!hasEnded(current))" }],
      suites: [followUpRaces],
    },
    {
      what: "a follow-up starts a job for an owner that was deleted meanwhile",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: "if (!current) throw", to: "if (false) throw" }],
      suites: ["test/plugin/children/messenger.test.ts"],
    },
    {
      what: "ids are looked up before the user permits the start",
      file: "src/plugin/tools/start.ts",
      edits: [
        {
          from: "  const checked = tasks.map(",
          to: "  owner.taken = new Map(services.troupe.records.of(call.place.session).map((job) => [job.id, job]))\n  const checked = tasks.map(",
        },
        {
          from: "const taken = services.troupe.records.get(session, id)",
          to: "const taken = owner.taken.get(id)",
        },
      ],
      suites: [startRaces],
    },
    {
      what: "an owner whose turn began while its messages were read is told",
      file: "src/plugin/owners/notify.ts",
      edits: [
        {
          from: `if (isStopped || busy.has(owner) || (statuses.value[owner]?.type ?? "idle") !== "idle")`,
          to: `if ((statuses.value[owner]?.type ?? "idle") !== "idle")`,
        },
      ],
      suites: [notifyRaces],
    },
    {
      what: "an owner is told what it read itself while the texts were fetched",
      file: "src/plugin/owners/notify.ts",
      edits: [
        { from: "const unread = inbox.unread(owner)", to: "const unread = read.map(({ record }) => record)" },
      ],
      suites: [notifyRaces],
    },
    {
      what: "a message that comes just as the turn ends is left without its answer",
      file: "src/plugin/children/turns.ts",
      edits: [
        { from: `    turn.send({ type: "message.told", prompt, at: time })\n`, to: "" },
        {
          from: "const isSent = sent.ok ||",
          to: `if (sent.ok) turn.send({ type: "message.told", prompt, at: time })\n    const isSent = sent.ok ||`,
        },
      ],
      suites: ["test/plugin/children/messenger.test.ts", turnRaces],
    },
    {
      what: "a message that opencode is still to refuse is asked as the turn ends",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: "context.told[0]?.isSent === true", to: "context.told[0] !== undefined" }],
      suites: ["test/plugin/children/turn.test.ts", turnRaces],
    },
    {
      what: "a message that comes after the child's last answer is refused, instead of a follow-up",
      file: "src/plugin/children/messenger.ts",
      edits: [
        {
          from: "return send(await ended(record), message)",
          to: `throw new Error("it is over. Nothing was sent.")`,
        },
      ],
      suites: ["test/plugin/children/messenger.test.ts"],
    },
    {
      what: "a call is shown as running by an answer that came after its end",
      file: "src/plugin/tools/progress.ts",
      edits: [{ from: "      await writing\n", to: "" }],
      suites: ["test/plugin/tools/progress.test.ts"],
    },
    {
      what: "a start is under way only once its owner's old jobs were looked for",
      file: "src/plugin/tools/index.ts",
      edits: [
        {
          from: "services.starts.track(call.place, startTool.run(given, call))",
          to: "services.recovery.owner(call.place.session).then(() => services.starts.track(call.place, startTool.run(given, call)))",
        },
      ],
      suites: [startTests],
    },
    {
      what: "a wait looks for jobs before a start of its message has made them",
      file: "src/plugin/tools/wait.ts",
      edits: [{ from: "await services.starts.over(owner, signal)", to: "" }],
      suites: [startTests, startRaces],
    },
    {
      what: "a wait that finds nothing does not look again",
      file: "src/plugin/tools/wait.ts",
      edits: [{ from: "await services.starts.announcedAndOver(owner, signal)", to: "" }],
      suites: [startTests],
    },
    {
      what: "the look for old jobs takes those that this process has started meanwhile for old ones",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: " || troupe.records.get(owner, record.id)) return false", to: ") return false" }],
      suites: [recoveryTests],
    },
    {
      what: "a job of a dead process is resumed without looking who took it meanwhile",
      file: "src/plugin/records/store.ts",
      edits: [
        {
          from: `return this.isOurs(stored.lease) ? "taken" : "another's"`,
          to: `return "taken"`,
        },
      ],
      suites: [recoveryTests],
    },
    {
      what: "the writes to one session do not wait for each other",
      file: "src/plugin/records/store.ts",
      edits: [
        { from: "    await unwritten.writing\n", to: "" },
        { from: "unwritten.writing ??= this.#writeAll", to: "unwritten.writing = this.#writeAll" },
      ],
      suites: [storeTests],
    },
  ],
  "A late answer overwrites an end": [
    {
      what: "a later decision takes the place of the first",
      file: "src/machines/job-machine.ts",
      edits: [{ from: "context.ending ? {} : { ending, endedAt: at }", to: "({ ending, endedAt: at })" }],
      suites: [jobTests],
    },
    {
      what: "a cancelled job goes on listening for its answer",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `            "job.cancel": {
              target: "stopping",`,
          to: `            "job.cancel": {`,
        },
      ],
      suites: [machineRaces, jobTests],
    },
    {
      what: "the end of an earlier run's prompt cleans up behind the next run",
      file: "src/plugin/children/turns.ts",
      edits: [{ from: "if (turn && this.of(session) === turn)", to: "if (turn)" }],
      suites: ["test/plugin/children/messenger.test.ts"],
    },
  ],
  "A slot is not freed": [
    {
      what: "when its job ends, by a cancel or otherwise",
      file: "src/machines/supervisor-machine.ts",
      edits: [
        {
          from: `enqueue.sendParent({ type: "slot.release", owner: context.owner, job: live.job } satisfies SlotEvent)`,
          to: "",
        },
      ],
      suites: [machineRaces],
    },
    {
      what: "when a job is cancelled that still waits for it: the queue keeps its place",
      file: "src/machines/limits.ts",
      edits: [{ from: "queue.jobs.filter((job) => job !== claim.job)", to: "queue.jobs" }],
      suites: [machineRaces],
    },
    {
      what: "when its owner ends while the job is still being stopped",
      file: "src/machines/limits.ts",
      edits: [
        {
          from: "limits.holders.filter((holder) => holder.owner !== owner)",
          to: "limits.holders",
        },
      ],
      suites: [troupeTests],
    },
  ],
  "A notification is sent twice": [
    {
      what: "what was told is not marked as told",
      file: "src/plugin/owners/notify.ts",
      edits: [{ from: "    inbox.markRead(records)\n", to: "" }],
      suites: [notifyTests],
    },
    {
      what: "an attempt that only seemed to fail is not found in the conversation",
      file: "src/plugin/owners/notify.ts",
      edits: [{ from: "inbox.markDelivered(owner, deliveredRuns(messages.value))", to: "" }],
      suites: [notifyRaces],
    },
    {
      what: "a second delivery starts while the first is under way",
      file: "src/plugin/owners/notify.ts",
      edits: [{ from: "if (delivering.has(owner)) {", to: "if (false) {" }],
      suites: [notifyRaces],
    },
    {
      what: "what an earlier process had told is told again",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: "inbox.adopt(child.id, stored.toldRun)", to: "void [child, stored]" }],
      suites: [recoveryTests],
    },
    {
      what: "and none at all: what ended while its owner was being told waits for ever",
      file: "src/plugin/owners/notify.ts",
      edits: [
        {
          from: "    if (delivering.has(owner)) {\n      missed.add(owner)\n",
          to: "    if (delivering.has(owner)) {\n",
        },
      ],
      suites: [notifyRaces],
    },
  ],
  "A timeout does not abort": [
    {
      what: "the total time ends the job, not its child",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `                  target: "#job.prompting.stopping",
                  actions: { type: "decideEnd", params: ({ context }) => outOfTime(context) },`,
          to: `                  target: "#job.timedOut",
                  actions: { type: "decideEnd", params: ({ context }) => outOfTime(context) },`,
        },
      ],
      suites: [jobTests],
    },
    {
      what: "the idle time ends the job, not its child",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `restarts the idle clock.",
                  after: {
                    idle: {
                      target: "#job.prompting.stopping",`,
          to: `restarts the idle clock.",
                  after: {
                    idle: {
                      target: "#job.timedOut",`,
        },
      ],
      suites: [jobTests],
    },
    {
      what: "the child is asked to stop and never aborted",
      file: "src/plugin/children/effects.ts",
      edits: [{ from: "() => host.abort(session),", to: "async () => ({ ok: true, value: undefined })," }],
      suites: ["test/plugin/tools/tools.test.ts"],
    },
  ],
  "A record is written without its run": [
    {
      what: "a follow-up keeps the number of the run before",
      file: "src/plugin/records/store.ts",
      edits: [
        { from: `record: { ...kept, state: "created", run },`, to: `record: { ...kept, state: "created" },` },
      ],
      suites: ["test/plugin/children/messenger.test.ts"],
    },
    {
      what: "a new job's record lacks it",
      file: "src/plugin/records/stored-job.ts",
      edits: [{ from: 'state: "created", run,', to: 'state: "created",' }],
      suites: [storeTests],
    },
    {
      what: "every record says that it is of the first",
      file: "src/machines/job-machine.ts",
      edits: [{ from: "    run: job.run,\n", to: "    run: 1,\n" }],
      suites: [troupeTests],
    },
    {
      what: "what was told is not tied to it",
      file: "src/plugin/records/store.ts",
      edits: [{ from: "({ ...stored, toldRun: run })", to: "({ ...stored, toldRun: 0 })" }],
      suites: [storeTests],
    },
  ],
  "What a person has to see is replaced before they have": [
    {
      what: "a request, by the end of a job",
      file: "src/plugin/person/toast-machine.ts",
      edits: [{ from: 'after: { requestTime: "free" }', to: 'always: "free"' }],
      suites: [toastTests],
    },
    {
      what: "the inspector's link, by whatever comes next",
      file: "src/plugin/person/toast-machine.ts",
      edits: [{ from: "noticeMs: notices[0]?.duration ?? noticeMs", to: "noticeMs: 0" }],
      suites: [toastTests],
    },
    {
      what: "a request that another took the place of is never shown again",
      file: "src/plugin/person/toast-machine.ts",
      edits: [{ from: 'actions: ["putBack", {', to: "actions: [{" }],
      suites: [toastTests],
    },
    {
      what: "a result of which agents_cancel showed the beginning alone counts as delivered",
      file: "src/plugin/tools/cancel.ts",
      edits: [{ from: "deliveryMark(shown)", to: "deliveryMark([...shown, ...unchanged])" }],
      suites: ["test/plugin/tools/tools.test.ts"],
    },
  ],
}
