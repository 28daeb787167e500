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
const startRaces = "test/plugin/races/start.test.ts"
const followUpRaces = "test/plugin/races/follow-ups.test.ts"
const deliveryRaces = "test/plugin/races/deliveries.test.ts"
const deliveryTests = "test/plugin/owners/deliveries.test.ts"
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
          to: "  house.taken = new Set(desk.troupe.records.of(context.sessionID).map(({ id }) => id))\n  const checked = tasks.map(",
        },
        { from: "desk.troupe.records.get(owner, id)) {", to: "house.taken.has(id)) {" },
      ],
      suites: [startRaces],
    },
    {
      what: "an owner whose turn began while its messages were read is told",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `on: { "owner.busy": "#delivery.busy", "owner.idle": "#delivery.window" },`,
          to: `on: { "owner.idle": "#delivery.window" },`,
        },
      ],
      suites: [deliveryRaces, deliveryTests],
    },
    {
      what: "an owner is told what it got otherwise while the texts were read",
      file: "src/plugin/owners/deliveries.ts",
      edits: [
        {
          from: "const undelivered = inbox.undelivered(owner)",
          to: "const undelivered = read.map(({ record }) => record)",
        },
      ],
      suites: [deliveryTests],
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
      file: "src/plugin/tools/shown-progress.ts",
      edits: [{ from: "if (!part || isOver) return", to: "if (!part) return" }],
      suites: ["test/plugin/tools/shown-progress.test.ts"],
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
      what: "what was stored does not count as delivered",
      file: "src/plugin/owners/deliveries.ts",
      edits: [
        {
          from: `if (done.outcome === "done") inbox.markDelivered(message.session, runsIn(message.mark))`,
          to: "",
        },
      ],
      suites: [deliveryTests],
    },
    {
      what: "an attempt that only seemed to fail is not found in the conversation",
      file: "src/plugin/owners/deliveries.ts",
      edits: [{ from: "inbox.markDelivered(owner, deliveredRuns(answered(messages)))", to: "" }],
      suites: [deliveryTests],
    },
    {
      what: "a second delivery starts while the first is under way",
      file: "src/plugin/owners/deliveries.ts",
      edits: [{ from: "this.#byOwner.get(input.owner) ?? this.#begin(input)", to: "this.#begin(input)" }],
      suites: [deliveryRaces, deliveryTests],
    },
    {
      what: "a message that may have been stored is composed anew, under other ids",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `{ guard: { type: "next is", params: "store" }, target: "storing" }`,
          to: `{ guard: { type: "next is", params: "store" }, target: "composing" }`,
        },
      ],
      suites: [deliveryTests],
    },
    {
      what: "what an earlier process had told is told again",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: "inbox.adopt(child.id, stored.toldRun)", to: "void [child, stored]" }],
      suites: [recoveryTests],
    },
    {
      what: "and none at all: what ended while its owner was being told waits for ever",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [{ from: "rememberMore: assign({ hasMore: true })", to: "rememberMore: assign({})" }],
      suites: [deliveryRaces, deliveryTests],
    },
    {
      what: "and a turn more: that of somebody else leaves the message as one whose turn is missing",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [{ from: `entry: ["forgetMessage", "forgetAttempts"]`, to: `entry: "forgetAttempts"` }],
      suites: [deliveryTests],
    },
    {
      what: "and late: what ends while a delivery backs off waits for the end of the pause",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `"job.ended": { target: "window", actions: "rememberMore" }`,
          to: `"job.ended": { actions: "rememberMore" }`,
        },
      ],
      suites: [deliveryTests],
    },
    {
      what: "and to a session that nobody uses: an earlier process's results wake it",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [{ from: `context.from === "an earlier process"`, to: "false" }],
      suites: [deliveryRaces, deliveryTests],
    },
    {
      what: "and to a session that nobody uses: a resumed job wakes it",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [{ from: "context.resumed.includes(job)", to: "false" }],
      suites: [deliveryTests],
    },
    {
      what: "and never: what a tool has answered counts as delivered before opencode has stored it",
      file: "src/plugin/host/events.ts",
      edits: [
        {
          from: `if (state.status === "error") return { type: "tool.ended", session, call, tool, mark: undefined }`,
          to: `if (state.status !== "pending") return { type: "tool.ended", session, call, tool, mark: state.metadata?.[OUR_KEY] }`,
        },
      ],
      suites: ["test/plugin/owners/inbox.test.ts"],
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
}
