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
const limitTests = "test/machines/limits.test.ts"
const jobTests = "test/machines/job.test.ts"
const troupeTests = "test/machines/troupe.test.ts"
const turnTests = "test/plugin/children/turn.test.ts"
const turnRaces = "test/plugin/races/turns.test.ts"
const startTests = "test/plugin/tools/starts.test.ts"
const toastTests = "test/plugin/person/toast-machine.test.ts"
const startRaces = "test/plugin/races/start.test.ts"
const startAndWaitRaces = "test/plugin/races/start-and-wait.test.ts"
const followUpRaces = "test/plugin/races/follow-ups.test.ts"
const deliveryRaces = "test/plugin/races/deliveries.test.ts"
const deliveryTests = "test/plugin/owners/deliveries.test.ts"
const storeTests = "test/plugin/records/store.test.ts"
const writerTests = "test/plugin/records/writer-machine.test.ts"
const writerRaces = "test/plugin/races/writer.test.ts"
const startAndReturnTests = "test/plugin/tools/start-and-return.test.ts"
const batchTests = "test/plugin/owners/batches.test.ts"
const deliveryMachineTests = "test/plugin/owners/delivery-machine.test.ts"
const toolTests = "test/plugin/tools/tools.test.ts"
const conversationTests = "test/plugin/owners/conversations.test.ts"
const recoveryTests = "test/plugin/records/recovery.test.ts"
const leftBehindTests = "test/plugin/records/left-behind.test.ts"
const leaseTests = "test/plugin/records/lease.test.ts"
const claimTests = "test/plugin/records/claims.test.ts"
const claimRaces = "test/plugin/races/claims.test.ts"
const needTests = "test/machines/needs.test.ts"
const graphTests = "test/plugin/tools/graph.test.ts"
const permissionTests = "test/plugin/children/permissions.test.ts"
const hostOfOneTests = "test/plugin/host/v1/host.test.ts"
const hostOfTwoTests = "test/plugin/host/v2/host.test.ts"
const fallbackTests = "test/plugin/children/fallbacks.test.ts"
const fallbackRaces = "test/machines/fallback-races.test.ts"
const fallbackMachineTests = "test/machines/fallbacks.test.ts"
const entryOfTwoTests = "test/plugin/opencode-2.test.ts"
const schemaTests = "test/plugin/children/schema.test.ts"
const validatorTests = "test/plugin/children/schema/validator.test.ts"
const patternTests = "test/plugin/children/schema/pattern.test.ts"
const answerTests = "test/plugin/children/schema/answers.test.ts"
const budgetTests = "test/plugin/owners/budgets.test.ts"
const budgetWalk = "test/plugin/owners/budget-machine.test.ts"
const budgetRaces = "test/plugin/races/budgets.test.ts"
const checkTests = "test/plugin/children/check/checks.test.ts"
const runTests = "test/plugin/children/check/run-command.test.ts"
const applyTests = "test/plugin/worktrees/apply.test.ts"
const checkMachineTests = "test/machines/check.test.ts"
const childrenOfTwoTests = "test/plugin/host/v2/children.test.ts"

/** The promises of the README and the design, each broken in the ways that are easiest to break it. */
export const plantedBugs: Record<string, PlantedBug[]> = {
  "Work in worktrees is brought in whole": [
    {
      what: "changes that a job has started from keep one that goes on from its end from being applied",
      file: "src/plugin/worktrees/apply/plan.ts",
      edits: [
        { from: "origin ? rootOf(origin, before) : job.base", to: "origin ? origin.commit : job.base" },
      ],
      suites: [applyTests],
    },
    {
      what: "what a person has changed since an apply is taken for what that has left",
      file: "src/plugin/worktrees/apply/ledger.ts",
      edits: [
        {
          from: "job.owner === owner && differences.get(name) === difference",
          to: "job.owner === owner && differences.has(name)",
        },
      ],
      suites: [applyTests],
    },
    {
      what: "a conflict between two jobs is told as one with the project",
      file: "src/plugin/worktrees/apply/plan.ts",
      edits: [{ from: "if (!alone.includes(name))", to: "if (false)" }],
      suites: [applyTests],
    },
    {
      what: "an agent that may not edit files throws work away by confirming its own call",
      file: "src/plugin/tools/discard.ts",
      edits: [
        {
          from: "const reason = await refusalToLose(losing, call)",
          to: "const reason = await refusalToLose([], call)",
        },
      ],
      suites: ["test/plugin/tools/apply.test.ts"],
    },
    {
      what: "an interrupted apply that could not be undone as a whole is ended without a word",
      file: "src/plugin/worktrees/apply/apply.ts",
      edits: [{ from: "onRecovered(await recoverApply(journal))", to: "void (await recoverApply(journal))" }],
      suites: ["test/plugin/tools/apply.test.ts"],
    },
  ],
  "Done means proven, and no answer is checked twice": [
    {
      what: "a message that becomes a follow-up as it is sent has its check run unasked",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: "    await call?.assureCheck()\n", to: "" }],
      suites: ["test/plugin/tools/checks.test.ts"],
    },
    {
      what: "a job is done whose check has not passed",
      file: "src/machines/job-setup.ts",
      edits: [
        { from: "passed: (_, { exitCode }: CheckOutput) => exitCode === 0,", to: "passed: () => true," },
      ],
      suites: [checkMachineTests, machineRaces],
    },
    {
      what: "the idle clock runs while a job is checked",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `total: {
              target: "stopping",`,
          to: `idle: {
              target: "stopping",`,
        },
      ],
      suites: [checkMachineTests],
    },
    {
      what: "time that people took counts where their child answers without waiting for them",
      file: "src/machines/job-clock.ts",
      edits: [
        {
          from: "if (deadlineAt === undefined) return remainingMs",
          to: "if (deadlineAt === undefined) return 0",
        },
      ],
      suites: [checkMachineTests],
    },
    {
      what: "an answer whose check is on record is checked again",
      file: "src/plugin/children/check/checks.ts",
      edits: [{ from: "stored?.checking?.answer === answer.id", to: "stored?.checking?.answer === session" }],
      suites: [checkTests],
    },
    {
      what: "that a check is about to run is not on record",
      file: "src/plugin/children/check/checks.ts",
      edits: [{ from: "await store.saveChecking(session, begun)\n", to: "" }],
      suites: [checkTests],
    },
    {
      what: "after a crash a check runs again that nobody saw the end of",
      file: "src/plugin/records/left-behind.ts",
      edits: [
        {
          from: "stored.checking && !stored.checking.result",
          to: "stored.checking && !stored.checking.round",
        },
      ],
      suites: [leftBehindTests],
    },
    {
      what: "what a command has started outlives it",
      file: "src/plugin/children/check/run-command.ts",
      edits: [{ from: "process.kill(-group, signal)", to: "process.kill(group, signal)" }],
      suites: [runTests],
    },
    {
      what: "a command that does not want to end goes on",
      file: "src/plugin/children/check/run-command.ts",
      edits: [{ from: `["SIGTERM", "SIGKILL"] as const`, to: `["SIGTERM"] as const` }],
      suites: [runTests],
    },
    {
      what: "a command hidden in another is not asked for",
      file: "src/plugin/host/commands.ts",
      edits: [{ from: `token.endsWith("(")`, to: `token === "<("` }],
      suites: ["test/plugin/host/commands.test.ts"],
    },
  ],
  "A job waits for others, and goes on once, and only if they ended as it needs": [
    {
      what: "a blocked job stands in line for a slot from its start",
      file: "src/machines/supervisor-machine.ts",
      edits: [{ from: "if (end || isBlocked) return", to: "if (end) return" }],
      suites: [needTests],
    },
    {
      what: "a job that needs others is prompted before they have ended",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `{ guard: "is blocked", target: "blocked" },`, to: "" }],
      suites: [needTests, machineRaces],
    },
    {
      what: "a job whose need has ended otherwise waits for ever",
      file: "src/machines/supervisor-machine.ts",
      edits: [
        {
          from: `if (standingOf(need, end) === "broken") enqueue.sendTo`,
          to: `if (standingOf(need, end) === "broken") (() => {})`,
        },
      ],
      suites: [needTests, machineRaces],
    },
    {
      what: "a job begins when the first of its needs is met",
      file: "src/machines/supervisor-machine.ts",
      edits: [{ from: "else if (open.length > 0) return", to: "else if (open.length > 9) return" }],
      suites: [needTests, machineRaces],
    },
    {
      what: "what has ended before a job starts is waited for",
      file: "src/machines/supervisor-machine.ts",
      edits: [{ from: "ended.find((end) => end.id === id)", to: '(id === "" ? ended[0] : undefined)' }],
      suites: [needTests],
    },
    {
      what: "nobody who waits for it hears of the end of a job that has crashed, or of one of an earlier process",
      file: "src/machines/troupe.ts",
      edits: [{ from: "if (hasEnded(record)) tellEnd(record.owner, endOf(record))", to: "" }],
      suites: [needTests, machineRaces],
    },
    {
      what: "a job whose need breaks while its session is made leaves that unstored",
      file: "src/machines/job-setup.ts",
      edits: [
        {
          from: `context.session !== "" && context.ending !== undefined`,
          to: `context.session !== "" && context.ending?.state === "cancelled"`,
        },
      ],
      suites: [needTests, machineRaces],
    },
    {
      what: "after a restart a job waits for ever for one that is gone",
      file: "src/plugin/records/recovery.ts",
      edits: [
        { from: "if (!troupe.records.get(owner, id)) troupe.giveUpNeed", to: "if (false) troupe.giveUpNeed" },
      ],
      suites: [recoveryTests],
    },
    {
      what: "after a restart a job whose child was asked before waits again",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "...(hasBegun ? asked() : again()),", to: "...again()," }],
      suites: [recoveryTests],
    },
    {
      what: "after a restart a blocked job is interrupted, whatever became of what it needs",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "if (record.needs && !hasBegun) return", to: "if (false) return" }],
      suites: [recoveryTests],
    },
    {
      what: "after a restart those go on by themselves that a need had failed, where nothing is to be resumed",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: `if (recover === "resume") onOver(session)`, to: "onOver(session)" }],
      suites: [recoveryTests],
    },
    {
      what: "a job goes on though another of its needs is broken still",
      file: "src/plugin/children/dependents.ts",
      edits: [{ from: `standingOf(need, endOf(record)) !== "broken"`, to: "true" }],
      suites: [graphTests],
    },
    {
      what: "a task is started that needs a refused one",
      file: "src/plugin/tools/start/graph.ts",
      edits: [{ from: "return isRefused(task) ?", to: "return false ?" }],
      suites: [graphTests],
    },
    {
      what: "the fence of a result may stand in it",
      file: "src/plugin/children/fence.ts",
      edits: [{ from: "if (!text.includes(hash)) return", to: "return" }],
      suites: ["test/plugin/children/handed-over.test.ts"],
    },
    {
      what: "the jobs for items are started again that a restart has left",
      file: "src/plugin/children/items.ts",
      edits: [{ from: "if (known.every((each) => each.id !== id))", to: "" }],
      suites: [recoveryTests, graphTests],
    },
    {
      what: "what stands for items takes a slot from them",
      file: "src/machines/supervisor-machine.ts",
      edits: [{ from: "if (blocked.isGroup) enqueue.sendTo(actor, ownSlot(at))\n          else ", to: "" }],
      suites: [graphTests],
    },
  ],
  "Something is checked before an await, and not after it": [
    {
      what: "follow-ups of one job do not wait for each other",
      file: "src/plugin/children/messenger.ts",
      edits: [
        {
          from: "(queues.get(key) ?? Promise.resolve()).then(handOver, handOver)",
          to: "Promise.resolve().then(handOver)",
        },
        {
          from: 'if (current.run !== record.run) return sent ? hand(current, sent.message, call) : ""',
          to: "",
        },
      ],
      suites: [followUpRaces],
    },
    {
      what: "a follow-up starts a job for an owner that was deleted meanwhile",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: "if (!current) throw", to: "if (false) throw" }],
      suites: ["test/plugin/children/messenger.test.ts"],
    },
    {
      what: "ids are looked up once, before the user permits the start",
      file: "src/plugin/tools/start/ids.ts",
      edits: [
        {
          from: "const own = troupe.records.get(owner, id)",
          to: "troupe.taken ??= new Map(troupe.records.of(owner).map((job) => [job.id, job]))\n  const own = troupe.taken.get(id)",
        },
      ],
      suites: [startRaces],
    },
    {
      what: "an owner whose turn began while its messages were read is told",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `"owner.busy": "busy", "owner.idle": "window", "owner.interrupted": "held"`,
          to: `"owner.idle": "window", "owner.interrupted": "held"`,
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
      suites: [turnTests, turnRaces],
    },
    {
      what: "a message that comes after the child's last answer is refused, instead of a follow-up",
      file: "src/plugin/children/messenger.ts",
      edits: [
        {
          from: "return hand(await ended(record), message, call)",
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
      what: "a start is under way only once its owner's old jobs and undos were looked for",
      file: "src/plugin/tools/index.ts",
      edits: [
        {
          from: "await services.starts.track(call.place, makeJobs(services, given, call))",
          to: "await jobsKnown(services, call.place.session).then(() => services.starts.track(call.place, makeJobs(services, given, call)))",
        },
      ],
      suites: [startTests],
    },
    {
      what: "a wait looks for jobs before a start of its message has made them",
      file: "src/plugin/tools/wait.ts",
      edits: [{ from: "await services.starts.over(owner, signal)", to: "" }],
      suites: [startTests, startAndWaitRaces],
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
      edits: [{ from: "if (known) return known.run >= record.run || !hasEnded(known)", to: "" }],
      suites: [recoveryTests],
    },
    {
      what: "a job of a dead process is resumed although another process has claimed it",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: `if (claim === "another's") {`, to: "if (false) {" }],
      suites: [recoveryTests],
    },
    {
      what: "a claimed job is not read again with the marker in hand",
      file: "src/plugin/records/claims.ts",
      edits: [
        {
          from: "if (!isOurs(stored) && !dead.has(stored.lease.instance)) return undefined",
          to: "",
        },
      ],
      suites: [claimTests, claimRaces],
    },
    {
      what: "a claim lets others try although nobody knows whether it is written",
      file: "src/plugin/records/claims.ts",
      edits: [{ from: `if (!claimed.includes("unknown")) await`, to: "await" }],
      suites: [claimTests],
    },
    {
      what: "two processes can make the same marker",
      file: "src/plugin/records/claim-markers.ts",
      edits: [{ from: "await link(draft, file)", to: "await link(draft, file).catch(() => {})" }],
      suites: [claimTests],
    },
    {
      what: "the last write does not wait for the one under way",
      file: "src/plugin/records/writer-machine.ts",
      edits: [{ from: `"store.closing": "closing"`, to: `"store.closing": "#writer.draining"` }],
      suites: [storeTests, writerRaces, writerTests],
    },
  ],
  "A late answer overwrites an end": [
    {
      what: "a later decision takes the place of the first",
      file: "src/machines/job-setup.ts",
      edits: [{ from: "context.ending ? {} : { ending,", to: "false ? {} : { ending," }],
      suites: [jobTests],
    },
    {
      what: "a cancelled job goes on listening for its answer",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `              target: "stopping",
              actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
            },
          },
          states: {`,
          to: `              actions: { type: "decideEnd", params: ({ event }) => cancellation(event) },
            },
          },
          states: {`,
        },
      ],
      suites: [machineRaces, jobTests],
    },
    {
      what: "the end of an earlier run's prompt cleans up behind the next run",
      file: "src/plugin/children/effects.ts",
      edits: [
        {
          from: "if (!answer.isUnavailable || !child.job.fallbacks?.length) turns.forget(session)",
          to: `await usageOf(host, session)
    if (!answer.isUnavailable || !child.job.fallbacks?.length) turns.forget(session)`,
        },
      ],
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
      edits: [
        {
          from: "const waiting = limits.waiting.filter((claim) => !isGone(claim))",
          to: "const { waiting } = limits",
        },
      ],
      suites: [machineRaces],
    },
    {
      what: "when its owner ends while the job is still being stopped",
      file: "src/machines/limits.ts",
      edits: [
        {
          from: "return without(limits, (each) => each.owner === owner)",
          to: "return { ...without(limits, (each) => each.owner === owner), holders: limits.holders }",
        },
      ],
      suites: [troupeTests],
    },
  ],
  "A notification is sent twice": [
    {
      what: "a turn of somebody else that begins while the message is stored gets another turn beside it",
      file: "src/plugin/owners/deliveries.ts",
      edits: [{ from: "delivery?.matches({ delivering })", to: `delivery?.matches("delivering")` }],
      suites: [deliveryTests],
    },
    {
      what: "and a turn more: opencode 1.18 starts one without asking whether it is wanted",
      file: "src/plugin/host/v1/host.ts",
      edits: [{ from: "stored.ok && turn.isWanted()", to: "stored.ok" }],
      suites: [hostOfOneTests],
    },
    {
      what: "and is lost by a crash: opencode 1.18 starts its turn before it has stored it",
      file: "src/plugin/host/v1/host.ts",
      edits: [
        {
          from: `const stored = await call(session.prompt({ ...body, noReply: true }))
      const delivered = stored.ok &&`,
          to: `const stored: Result<unknown> = { ok: true, value: undefined }
      const delivered = stored.ok &&`,
        },
      ],
      suites: [hostOfOneTests],
    },
    {
      what: "and its turn never: what opencode 1.18 could not start counts as delivered",
      file: "src/plugin/host/v1/host.ts",
      edits: [
        {
          from: "const delivered = stored.ok && turn.isWanted() ? await done(session.promptAsync(body)) : stored",
          to: "if (stored.ok && turn.isWanted()) await done(session.promptAsync(body))\n      const delivered = stored",
        },
      ],
      suites: [hostOfOneTests],
    },
    {
      what: "under two ids: a turn that begins while the message is stored has it composed anew",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `on: { "owner.busy": "overtaken" },
        },
        overtaken`,
          to: `on: { "owner.busy": "#delivery.busy" },
        },
        overtaken`,
        },
      ],
      suites: [deliveryTests],
    },
    {
      what: "and a turn more, which the user does not want: they have just stopped one",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [{ from: `on: { "owner.interrupted": ".stopped" }`, to: "on: {}" }],
      suites: [deliveryTests],
    },
    {
      what: "and a turn more, which the user does not want: the conversation holds everything by then",
      file: "src/plugin/owners/deliveries.ts",
      edits: [
        {
          from: `    delivery?.send({ type: "owner.interrupted" })
    if (this.#options.inbox.open(owner).length === 0 || !this.#hasReader(owner)) return`,
          to: `    if (this.#options.inbox.open(owner).length === 0 || !this.#hasReader(owner)) return
    delivery?.send({ type: "owner.interrupted" })`,
        },
      ],
      suites: [deliveryTests],
    },
    {
      what: "results that come while a message is composed are forgotten",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `{ guard: "has more", target: "window" },`,
          to: "",
        },
      ],
      suites: [deliveryTests],
    },
    {
      what: "what was stored does not count as delivered",
      file: "src/plugin/owners/deliveries.ts",
      edits: [
        {
          from: "    inbox.markDelivered(message.session, runsIn(answered(delivered).mark))\n",
          to: "    answered(delivered)\n",
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
          from: `pause: [{ guard: "no message is under way", target: "composing" }, { target: "delivering" }]`,
          to: `pause: { target: "composing" }`,
        },
      ],
      suites: [deliveryTests],
    },
    {
      what: "and none at all: what ended while its owner was being told waits for ever",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [{ from: "rememberMore: assign({ hasMore: true })", to: "rememberMore: assign({})" }],
      suites: [deliveryTests],
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
      file: "src/plugin/host/v1/events.ts",
      edits: [
        {
          from: `if (state.status === "error") return { type: "tool.ended", session, call, tool, mark: undefined }`,
          to: `if (state.status !== "pending") return { type: "tool.ended", session, call, tool, mark: state.metadata?.[OUR_KEY] }`,
        },
      ],
      suites: ["test/plugin/owners/inbox.test.ts"],
    },
    {
      what: "what an earlier process had delivered is delivered again",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: "inbox.adopt(record.session, stored.deliveredRun)", to: "" }],
      suites: [recoveryTests],
    },
    {
      what: "and none at all: a result counts as delivered because an earlier run's was",
      file: "src/plugin/owners/inbox.ts",
      edits: [{ from: "?? 0) >= record.run", to: "?? 0) > 0" }],
      suites: [recoveryTests],
    },
    {
      what: "by a second opencode, which takes what has ended from one that lives",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "if (isHeld) return", to: "if (isHeld && !isEnded(record)) return" }],
      suites: [leftBehindTests, recoveryTests],
    },
  ],
  "A result is given to nobody, or twice": [
    {
      what: "of two jobs with one id, one is there",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: "if (!troupe.records.get(record.owner, id)) return id", to: "return id" }],
      suites: [recoveryTests],
    },
    {
      what: "both of two waits have it",
      file: "src/plugin/tools/wait.ts",
      edits: [{ from: "!isAsked && services.inbox.isTaken(record, call)", to: "false" }],
      suites: [toolTests],
    },
    {
      what: "neither of two waits has it, where the answer of the first is not stored",
      file: "src/plugin/owners/inbox.ts",
      edits: [{ from: "this.forgetAnswer(session, event.call)", to: "" }],
      suites: [toolTests],
    },
    {
      what: "one whose delivery was undone starts a turn",
      file: "src/plugin/owners/deliveries.ts",
      edits: [
        { from: "this.#options.inbox.due(session)", to: "this.#options.inbox.undelivered(session)" },
        { from: "return inbox.due(owner).length > 0", to: "return inbox.undelivered(owner).length > 0" },
      ],
      suites: [conversationTests],
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
          from: `                    idle: {
                      target: "#job.prompting.stopping",`,
          to: `                    idle: {
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
  "A job is lost, or ends otherwise than it did": [
    {
      what: "what the child was writing is read after the abort, which throws it away",
      file: "src/plugin/children/effects.ts",
      edits: [
        {
          from: "      const draft = turns.draftOf(session)\n      const isAskedAnew",
          to: "      const isAskedAnew",
        },
        {
          from: "await within(abortTimeout, abort, () => undefined)",
          to: "await within(abortTimeout, abort, () => undefined)\n      turns.forget(session, turn)\n      const draft = turns.draftOf(session)",
        },
      ],
      suites: ["test/plugin/tools/tools.test.ts"],
    },
    {
      what: "a message that opencode refused is waited for all the same",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: "prompt.messageID !== messageID", to: "true" }],
      suites: [turnTests, turnRaces],
    },
    {
      what: "a look that fails ends the turn",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: `onError: "waiting",`, to: `onError: "#turn.failed",` }],
      suites: [turnTests],
    },
    {
      what: "a call that was cut off counts as failed although the child has answered",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: `target: "inDoubt",`, to: `target: "failed",` }],
      suites: [turnTests, turnRaces],
    },
    {
      what: "a turn that ended with an error is gone on with",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: `{ guard: "ended with an error", target: "over" },`, to: "" }],
      suites: [turnTests],
    },
    {
      what: "what the child thinks is taken for its text",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: "if (draft.open !== part) return draft", to: "" }],
      suites: [turnTests],
    },
    {
      what: "what could not be written is dropped when more has changed meanwhile",
      file: "src/plugin/records/writer-machine.ts",
      edits: [
        { from: "...(waiting ? together(writing, waiting) : writing),", to: "...(waiting ?? writing)," },
      ],
      suites: [writerTests, writerRaces],
    },
    {
      what: "an urgent change waits for others",
      file: "src/plugin/records/writer-machine.ts",
      edits: [{ from: "isUrgent: earlier.isUrgent || later.isUrgent", to: "isUrgent: earlier.isUrgent" }],
      suites: [writerTests],
    },
    {
      what: "a write that fails as the plugin closes is tried again, over what its successor has written",
      file: "src/plugin/records/writer-machine.ts",
      edits: [
        {
          from: `            "xstate.error.actor.write": "#writer.drained",`,
          to: `            "xstate.error.actor.write": { target: "#writer.draining", actions: "takeBack" },`,
        },
      ],
      suites: [storeTests],
    },
    {
      what: "what changes while a write is under way counts as written with it",
      file: "src/plugin/records/writer-machine.ts",
      edits: [{ from: `{ guard: "has changes", target: "#writer.dirty", actions: "noteWritten" },`, to: "" }],
      suites: [writerTests, writerRaces],
    },
    {
      what: "a cancel that is on record loses to an answer",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "if (record.error) {", to: "if (false) {" }],
      suites: [leftBehindTests, recoveryTests],
    },
    {
      what: "an answer that the end of its process aborted is taken for a failure",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: `if (answer && error?.kind !== "interrupted") {`, to: "if (answer) {" }],
      suites: [leftBehindTests],
    },
    {
      what: "a draft that a kill took is said to be nothing",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: `return text.kind === "nothing" ?`, to: "return true ?" }],
      suites: [leftBehindTests],
    },
    {
      what: "nobody looks again after another process that had jobs has ended",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: "    watch(living)\n", to: "" }],
      suites: [recoveryTests],
    },
    {
      what: "what changed first is written over what changed later, once a write has failed",
      file: "src/plugin/records/writer-machine.ts",
      edits: [{ from: "together(writing, waiting)", to: "together(waiting, writing)" }],
      suites: [storeTests, writerTests, writerRaces],
    },
    {
      what: "an end is said to be on record before it is written",
      file: "src/plugin/records/writer.ts",
      edits: [{ from: "if (waiter.number > written) continue", to: "" }],
      suites: [storeTests, writerRaces],
    },
    {
      what: "a write does not look whose the job is",
      file: "src/plugin/records/store.ts",
      edits: [{ from: "if (lease.instance !== by.instance) {", to: "if (false) {" }],
      suites: [storeTests],
    },
    {
      what: "a closed instance writes on",
      file: "src/plugin/records/store.ts",
      edits: [{ from: `if (this.#state === "drained") {`, to: "if (false) {" }],
      suites: [storeTests, writerRaces],
    },
  ],
  "A living process counts as dead, or a dead one as living": [
    {
      what: "a zombie lives",
      file: "src/plugin/util/process-identity.ts",
      edits: [{ from: "/^[ZX]/.test(state)", to: "false" }],
      suites: [leaseTests],
    },
    {
      what: "a process that may not be signalled is dead",
      file: "src/plugin/util/process-identity.ts",
      edits: [{ from: `error.code === "EPERM"`, to: "false" }],
      suites: [leaseTests],
    },
    {
      what: "whatever has the pid is the holder",
      file: "src/plugin/records/lease.ts",
      edits: [{ from: " || seen.start === start)", to: " || true)" }],
      suites: [leaseTests],
    },
    {
      what: "a process whose start cannot be read is dead",
      file: "src/plugin/records/lease.ts",
      edits: [{ from: "seen.start === undefined || ", to: "" }],
      suites: [leaseTests],
    },
    {
      what: "the time zone of whoever looks changes the start of a process",
      file: "src/plugin/util/process-identity.ts",
      edits: [{ from: `, TZ: "UTC" }`, to: " }" }],
      suites: [leaseTests],
    },
  ],
  "A record is written without its run": [
    {
      what: "a follow-up keeps the number of the run before",
      file: "src/plugin/records/store.ts",
      edits: [{ from: "newStoredRecord(job)", to: "newStoredRecord({ ...job, run: job.run - 1 })" }],
      suites: [storeTests, "test/plugin/children/messenger.test.ts"],
    },
    {
      what: "a new job's record lacks it",
      file: "src/plugin/records/stored-job.ts",
      edits: [{ from: `state: "created",\n    run,`, to: `state: "created",` }],
      suites: [storeTests],
    },
    {
      what: "every record says that it is of the first",
      file: "src/machines/job-record.ts",
      edits: [{ from: "    run: job.run,\n", to: "    run: 1,\n" }],
      suites: [troupeTests],
    },
    {
      what: "what was delivered is not tied to it",
      file: "src/plugin/records/store.ts",
      edits: [{ from: "{ deliveredRun: run }", to: "{ deliveredRun: 0 }" }],
      suites: [storeTests],
    },
  ],
  "An end is told before it is stored": [
    {
      what: "a queued job's cancel is not stored",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `              actions: { type: "startClocks", params: ({ event }) => event },
            },
            "job.cancel": {
              target: "stopping",`,
          to: `              actions: { type: "startClocks", params: ({ event }) => event },
            },
            "job.cancel": {
              target: "#job.cancelled",`,
        },
      ],
      suites: [machineRaces, jobTests],
    },
    {
      what: "nor is the cancel of a job whose session opens all the same",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `{ guard: "was ended in its session", target: "stopping" },`, to: "" }],
      suites: [machineRaces, jobTests],
    },
    {
      what: "a job at work is stopped at once, and its end is not stored",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `initial: "recording",`, to: `initial: "aborting",` }],
      suites: [machineRaces, jobTests],
    },
    {
      what: "a child works on whose end could not be stored",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `onError: "aborting",`, to: `onError: "stopped",` }],
      suites: [machineRaces, jobTests],
    },
    {
      what: "a store that does not answer keeps the child from being stopped",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `after: { recordLimit: "aborting" },`, to: "" }],
      suites: [machineRaces, jobTests],
    },
  ],
  "The idle clock runs while it should not, or stands": [
    {
      what: "the idle clock runs while a tool runs",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `                  entry: "stopIdleClock",
`,
          to: `                  after: {
                    idle: {
                      target: "#job.prompting.stopping",
                      actions: { type: "decideEnd", params: ({ context }) => inactive(context) },
                    },
                  },
`,
        },
      ],
      suites: [machineRaces, jobTests],
    },
    {
      what: "it runs again when the first of several tools has ended",
      file: "src/machines/job-setup.ts",
      edits: [
        {
          from: "      tools: ({ context }, { call }: { call: string }) => context.tools.filter((each) => each !== call),",
          to: "      tools: (_, _call: { call: string }) => [],",
        },
      ],
      suites: [machineRaces, jobTests],
    },
    {
      what: "an answered request restarts the idle clock although a tool still runs",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `always: { guard: "runs a tool", target: "runningTool" },`, to: "" }],
      suites: [machineRaces, jobTests],
    },
    {
      what: "the idle clock of a retry starts at once",
      file: "src/machines/job-setup.ts",
      edits: [{ from: "context.job.idleMs + pauseOf(event)", to: "context.job.idleMs" }],
      suites: [machineRaces, jobTests],
    },
    {
      what: "it stands for ever when the end of a tool got lost",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `actions: ["forgetTools", { type`, to: "actions: [{ type" }],
      suites: [machineRaces, jobTests],
    },
    {
      what: "it starts again whenever opencode says that the child is idle",
      file: "src/machines/job-machine.ts",
      edits: [
        {
          from: `on: { "child.idle": "lull" },`,
          to: `on: {
                        "child.idle": {
                          target: "#job.prompting.running.active.working.lull",
                          reenter: true,
                          actions: { type: "restartIdleClock", params: ({ event }) => event },
                        },
                      },`,
        },
      ],
      suites: [machineRaces, jobTests],
    },
    {
      what: "the time that people take is the job's",
      file: "src/machines/job-setup.ts",
      edits: [
        {
          from: "      remainingMs: remainingAt(context, at),\n      deadlineAt: undefined,\n      idleAt: undefined,\n      waitingSince",
          to: "      deadlineAt: undefined,\n      idleAt: undefined,\n      waitingSince",
        },
      ],
      suites: [machineRaces, jobTests],
    },
  ],
  "An answer that got lost is not looked for": [
    {
      what: "at all",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `after: { lullLimit: "looking" },`, to: "" }],
      suites: [jobTests],
    },
    {
      what: "a second time, where the first look came too early",
      file: "src/machines/job-machine.ts",
      edits: [{ from: `onDone: "lull",`, to: `onDone: "busy",` }],
      suites: [jobTests],
    },
  ],
  "A job starts that may not, or never does": [
    {
      what: "one that does not fit holds up those behind it",
      file: "src/machines/limits.ts",
      edits: [
        {
          from: "return byTurn(limits.bounds, limits.waiting, fits)",
          to: "return byTurn(limits.bounds, limits.waiting.slice(0, 1), fits)",
        },
      ],
      suites: [limitTests, troupeTests],
    },
    {
      what: "a provider's limit is not looked at where its model has one",
      file: "src/machines/limits.ts",
      edits: [
        {
          from: "(of === model || isOfProvider(model, of))",
          to: "of === model",
        },
      ],
      suites: [limitTests, machineRaces],
    },
    {
      what: "an owner that gets slots of one provider loses its turn with another",
      file: "src/machines/limits.ts",
      edits: [{ from: "if (!next) return first", to: "return first\n  if (!next) return first" }],
      suites: [limitTests],
    },
    {
      what: "a job that goes on with another model is counted under both",
      file: "src/machines/limits.ts",
      edits: [
        { from: "holders: limits.holders.filter((each) => !isIt(each))", to: "holders: limits.holders" },
      ],
      suites: [limitTests],
    },
    {
      what: "its provider is on hold, and a slot is free",
      file: "src/machines/limits.ts",
      edits: [{ from: " && !holdOf(limits, claim)\n", to: "\n" }],
      suites: [limitTests, troupeTests, machineRaces],
    },
    {
      what: "a hold ends as soon as any job of its provider gets through",
      file: "src/machines/limits.ts",
      edits: [
        {
          from: "return hold.model === model && (isSame(hold, job) || askedAt >= hold.at)",
          to: "return hold.provider === providerOf(model)",
        },
      ],
      suites: [limitTests, troupeTests, machineRaces],
    },
    {
      what: "a hold ends with the job that was told, however that ends",
      file: "src/machines/troupe.ts",
      edits: [{ from: `if (record.state === "done") answered(`, to: "answered(" }],
      suites: [troupeTests],
    },
    {
      what: "a hold never ends",
      file: "src/machines/system-machine.ts",
      edits: [
        {
          from: "        enqueue.raise(over, { id: timerOf(provider), delay: hold.until - at })\n",
          to: "",
        },
      ],
      suites: [troupeTests, machineRaces],
    },
    {
      what: "a longer hold ends when the one before it would have",
      file: "src/machines/system-machine.ts",
      edits: [
        { from: "        enqueue.cancel(timerOf(provider))\n", to: "" },
        { from: "{ id: timerOf(provider), delay:", to: "{ delay:" },
      ],
      suites: [troupeTests],
    },
    {
      what: "a hold's timer goes on when the hold has ended",
      file: "src/machines/system-machine.ts",
      edits: [
        {
          from: "if (isEndedBy(hold, answered)) enqueue.cancel",
          to: 'if (hold.owner === "") enqueue.cancel',
        },
      ],
      suites: [troupeTests],
    },
    {
      what: "a provider is held for a year, if it says so",
      file: "src/machines/limits.ts",
      edits: [
        { from: "Math.min(Math.ceil(told.until), told.at + longestHold)", to: "Math.ceil(told.until)" },
      ],
      suites: [limitTests, troupeTests],
    },
    {
      what: "all jobs of a provider ask it at once that is believed no longer",
      file: "src/machines/limits.ts",
      edits: [
        { from: "return isNamed || isUntried(limits, each) ? [] :", to: "return isNamed || true ? [] :" },
      ],
      suites: [limitTests, troupeTests],
    },
    {
      what: "what is told of the step before passes for an answer to the next",
      file: "src/plugin/children/watch.ts",
      edits: [{ from: "          answers()\n          askedAt = now()\n", to: "          answers()\n" }],
      suites: ["test/plugin/children/watch.test.ts"],
    },
    {
      what: "what the model of a child's own subagent is told holds the child's provider",
      file: "src/plugin/children/watch.ts",
      edits: [
        {
          from: "if (session === own) {\n            askedAt = next",
          to: "{\n            askedAt = next",
        },
      ],
      suites: ["test/plugin/children/watch.test.ts"],
    },
  ],
  "A supervisor goes too early, or never": [
    {
      what: "the system drops a supervisor without looking at its count of starts",
      file: "src/machines/system-machine.ts",
      edits: [{ from: "id === owner && starts === heard", to: "id === owner" }],
      suites: [machineRaces, troupeTests],
    },
    {
      what: "a supervisor tells that it is idle while others of its jobs live",
      file: "src/machines/supervisor-machine.ts",
      edits: [{ from: "if (live.length === 0) enqueue", to: "enqueue" }],
      suites: [machineRaces, troupeTests],
    },
    {
      what: "a supervisor does not count a start of a job that lives already",
      file: "src/machines/supervisor-machine.ts",
      edits: [{ from: `{ actions: "countStart" },`, to: "" }],
      suites: [troupeTests],
    },
  ],
  "opencode 2 is taken at its word": [
    {
      what: "a child that was compacted in the middle of its turn has given no answer",
      file: "src/plugin/host/answers.ts",
      edits: [{ from: " ?? messages.find((message) => isSummaryOf(message, asked))", to: "" }],
      suites: [hostOfTwoTests],
    },
    {
      what: "a hook that cannot read what it is called with fails the request",
      file: "src/plugin/opencode-2.ts",
      edits: [{ from: "await hear().catch(", to: "await hear().finally(" }],
      suites: [entryOfTwoTests],
    },
    {
      what: "the agent is told the same problem with each start",
      file: "src/plugin/tools/index.ts",
      edits: [{ from: "    for (const problem of news) told.add(problem)\n", to: "" }],
      suites: [entryOfTwoTests],
    },
    {
      what: "progress that was not shown yet goes on beside a newer one",
      file: "src/plugin/tools/progress.ts",
      edits: [{ from: "      latest.abort()\n      latest = new", to: "      latest = new" }],
      suites: ["test/plugin/tools/progress.test.ts"],
    },
    {
      what: "a message whose delivery had begun goes out once more under another id",
      file: "src/plugin/owners/deliveries.ts",
      edits: [{ from: "messageID: begunBefore?.messageID }", to: "messageID: undefined }" }],
      suites: [deliveryTests],
    },
    {
      what: "what an earlier process had begun to deliver is not finished",
      file: "src/plugin/records/recovery.ts",
      edits: [{ from: "      await finishBegun(owner, messages.value)\n", to: "" }],
      suites: [recoveryTests],
    },
    {
      what: "what an earlier process had begun to deliver starts a turn once it is finished",
      file: "src/plugin/owners/deliveries.ts",
      edits: [{ from: "{ isWanted: () => false }", to: "{ isWanted: () => true }" }],
      suites: [deliveryTests],
    },
    {
      what: "what opencode holds under a message's id counts for what it is handed now",
      file: "src/plugin/host/v2/host.ts",
      edits: [{ from: "admittedMark(admitted) ?? mark", to: "mark" }],
      suites: [hostOfTwoTests],
    },
    {
      what: "a message goes out before its delivery is known to have begun",
      file: "src/plugin/host/v2/host.ts",
      edits: [
        { from: "        const begun = await begunDeliveries.add(id, messageID, mark)\n", to: "" },
        {
          from: "          ...start,\n        })\n",
          to: "          ...start,\n        })\n        const begun = await begunDeliveries.add(id, messageID, mark)\n",
        },
      ],
      suites: [hostOfTwoTests],
    },
    {
      what: "a session that was made to try whether it takes a parent is left behind",
      file: "src/plugin/host/v2/children.ts",
      edits: [{ from: "await session.remove?.({ sessionID: made.id })", to: "" }],
      suites: [childrenOfTwoTests],
    },
    {
      what: "an undo after a compaction undelivers everything",
      file: "src/plugin/owners/conversations.ts",
      edits: [{ from: ", summarizedUntil)", to: ", 0)" }],
      suites: [conversationTests],
    },
  ],
  "A budget does not hold, or holds too much": [
    {
      what: "what waits goes on once all is spent",
      file: "src/plugin/owners/budget-machine.ts",
      edits: [{ from: "toCancel(context, ({ isAsked }) => !isAsked)", to: "toCancel(context, () => false)" }],
      suites: [budgetTests, budgetWalk, budgetRaces],
    },
    {
      what: "what is at work goes on once all is spent",
      file: "src/plugin/owners/budget-machine.ts",
      edits: [{ from: `after: { lastAnswer: "stopping" }`, to: "after: {}" }],
      suites: [budgetTests, budgetRaces],
    },
    {
      what: "the answer that used up the rest is cancelled",
      file: "src/plugin/owners/budget-machine.ts",
      edits: [
        {
          from: `always: { guard: "is spent", target: "closing" }`,
          to: `always: { guard: "is spent", target: "stopping" }`,
        },
      ],
      suites: [budgetTests],
    },
    {
      what: "what is started once all is spent runs",
      file: "src/plugin/owners/budget-machine.ts",
      edits: [
        {
          from: `    lives: (_, { stands }: { stands: Stands }) => stands !== "ended",`,
          to: "    lives: (_, _seen: { stands: Stands }) => false,",
        },
      ],
      suites: [budgetTests, budgetWalk],
    },
    {
      what: "a run is cancelled again with each news of it",
      file: "src/plugin/owners/budget-machine.ts",
      edits: [{ from: "cancelled: [...context.cancelled, ...runs],", to: "cancelled: context.cancelled," }],
      suites: [budgetWalk],
    },
    {
      what: "late news of what was used take the place of newer ones",
      file: "src/plugin/owners/budget-machine.ts",
      edits: [{ from: "Math.max(before?.tokens ?? 0, spent.tokens)", to: "spent.tokens" }],
      suites: [budgetWalk],
    },
    {
      what: "a batch does not learn what the jobs of its jobs use",
      file: "src/plugin/owners/budgets.ts",
      edits: [{ from: "      if (batch) held.push(batch)\n", to: "" }],
      suites: [budgetTests],
    },
    {
      what: "an owner does not learn what the jobs of its jobs use",
      file: "src/plugin/owners/budgets.ts",
      edits: [{ from: "const ofOwner = this.#ofOwner(root)", to: "const ofOwner = this.#ofOwner(owner)" }],
      suites: [budgetTests],
    },
    {
      what: "what a child had started before a restart counts only if it is found after that child's job",
      file: "src/plugin/owners/budgets.ts",
      edits: [
        {
          from: "this.#joined(record.session)\n        // Most",
          to: "this.#end(keyOfOwner(record.session))\n        // Most",
        },
      ],
      suites: [budgetTests],
    },
    {
      what: "opencode's own subagents use what nobody counts",
      file: "src/plugin/children/watch.ts",
      edits: [{ from: `troupe.tell(job, { type: "subagent.spent", session, usage: event.usage })`, to: "" }],
      suites: [budgetTests],
    },
    {
      what: "opencode's own subagents of a job's job count for the jobs above it as well",
      file: "src/plugin/children/watch.ts",
      edits: [{ from: `if (event.type !== "usage.changed") ancestor`, to: "ancestor" }],
      suites: [budgetTests],
    },
    {
      what: "opencode's own subagents that go on in a later run use what nobody counts",
      file: "src/plugin/children/watch.ts",
      edits: [{ from: "of job.subagents ?? [])", to: "of [])" }],
      suites: [budgetTests],
    },
    {
      what: "what opencode's own subagents use is stored only once their job has ended",
      file: "src/plugin/records/store.ts",
      edits: [{ from: "if (subagents && subagents !== before.subagents)", to: "if (false)" }],
      suites: [storeTests],
    },
    {
      what: "what opencode's own subagents had used is forgotten where their job has ended meanwhile",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "...withCheck(stored), ...(subagents && { subagents })", to: "...withCheck(stored)" }],
      suites: [budgetTests, leftBehindTests],
    },
    {
      what: "what opencode's own subagents had used is forgotten where their job is resumed",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "    subagents,\n    startedBy", to: "    startedBy" }],
      suites: [budgetTests, leftBehindTests],
    },
    {
      what: "what opencode's own subagents had used is forgotten with a follow-up",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: "      subagents: record.subagents,\n", to: "" }],
      suites: [budgetTests],
    },
    {
      what: "what opencode's own subagents had used is forgotten where there are very many of them",
      file: "src/machines/record.ts",
      edits: [{ from: "together.length > 0", to: "false" }],
      suites: ["test/machines/record.test.ts"],
    },
    {
      what: "a batch has no budget any more after a restart",
      file: "src/plugin/records/stored-job.ts",
      edits: [{ from: "    batch,\n    budget,\n", to: "    batch,\n" }],
      suites: [budgetTests],
    },
    {
      what: "a start that somebody had to permit does not see that all was spent meanwhile",
      file: "src/plugin/tools/start/start.ts",
      edits: [{ from: "  refuseSpent(services, call)\n  const ready", to: "  const ready" }],
      suites: [budgetTests],
    },
    {
      what: "what jobs had started before a restart is not looked for at the next start",
      file: "src/plugin/tools/services.ts",
      edits: [{ from: "if (services.options.depth === 1) return", to: "return" }],
      suites: [budgetTests],
    },
    {
      what: "a job goes on although nothing is left for it",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: "if (refusal !== undefined) throw", to: "if (false) throw" }],
      suites: [budgetTests],
    },
    {
      what: "a budget that cannot be read limits nothing",
      file: "src/plugin/options.ts",
      edits: [{ from: `"budget" in rest && options.budget === undefined`, to: "false" }],
      suites: [budgetTests],
    },
    {
      what: "the owner is told of a budget with each job that it has ended",
      file: "src/plugin/owners/budgets.ts",
      edits: [{ from: "      if (!undone.every(isNews)) return []\n", to: "" }],
      suites: [budgetTests],
    },
    {
      what: "a job that a budget has ended does not say so",
      file: "src/machines/job-ending.ts",
      edits: [
        { from: "error: { kind, message: bounded", to: `error: { kind: "cancelled", message: bounded` },
      ],
      suites: [budgetTests, budgetRaces],
    },
  ],
  "A child may do what its owner may not": [
    {
      what: "without being asked, where only the owner has to be asked",
      file: "src/plugin/children/permissions.ts",
      edits: [
        {
          from: 'owner.findIndex(({ action }) => action !== "allow")',
          to: 'owner.findIndex(({ action }) => action === "deny")',
        },
      ],
      suites: [permissionTests],
    },
    {
      what: "where one of its agent's rules crosses what its owner is denied",
      file: "src/plugin/children/permissions.ts",
      edits: [{ from: "return [...added, ...crossing, ...denials]", to: "return [...added, ...crossing]" }],
      suites: [permissionTests],
    },
  ],
  "What a person has to see is replaced before they have": [
    {
      what: "a request that was answered is shown",
      file: "src/plugin/person/toast-machine.ts",
      edits: [{ from: "context.requests.filter((each) => each.id !== id)", to: "context.requests" }],
      suites: [toastTests],
    },
    {
      what: "a notice is shown again and again",
      file: "src/plugin/person/toast-machine.ts",
      edits: [{ from: "notices: notices.slice(1)", to: "notices" }],
      suites: [toastTests],
    },
    {
      what: "an end that came while others were shown is never shown",
      file: "src/plugin/person/toast-machine.ts",
      edits: [
        {
          from: `after: { readTime: "free" }`,
          to: `after: { readTime: { target: "free", actions: "takeEnds" } }`,
        },
      ],
      suites: [toastTests],
    },
    {
      what: "each end is told by itself, though its batch goes on",
      file: "src/plugin/person/toast-machine.ts",
      edits: [{ from: "batch.untold.length > 0 && isOver(batch)", to: "batch.untold.length > 0" }],
      suites: [toastTests],
    },
    {
      what: "a request waits until ends were read",
      file: "src/plugin/person/toast-machine.ts",
      edits: [
        {
          from: `      after: { readTime: "free" },
      on: {
        "request.opened": {
          target: "request",
          actions: { type: "addRequest", params: ({ event }) => event },
        },
      },`,
          to: `      after: { readTime: "free" },`,
        },
      ],
      suites: [toastTests],
    },
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
  "The main agent is asked more often than need be, or waits for what never comes": [
    {
      what: "a start that waits is under way for other calls until its jobs have ended",
      file: "src/plugin/tools/index.ts",
      edits: [
        {
          from: `        const made = await services.starts.track(call.place, makeJobs(services, given, call))
        return withProblems(await answerOf(services, made, call), untold())`,
          to: `        const making = makeJobs(services, given, call).then((made) => answerOf(services, made, call))
        return withProblems(await services.starts.track(call.place, making), untold())`,
        },
      ],
      suites: [startAndReturnTests],
    },
    {
      what: "a start that waits is under way again once what is shown of it changes",
      file: "src/plugin/tools/starts.ts",
      edits: [
        {
          from: `      if (call !== undefined) this.#put(session, name, "made")
      else this.#forget(`,
          to: "      this.#forget(",
        },
      ],
      suites: [startAndReturnTests],
    },
    {
      what: "a start under the id of an earlier one is not seen",
      file: "src/plugin/tools/starts.ts",
      edits: [
        {
          from: `call === event.call && stage !== "making"`,
          to: `call === event.call && stage === "announced"`,
        },
      ],
      suites: [startAndReturnTests],
    },
    {
      what: "a start that waits returns what another call has returned",
      file: "src/plugin/tools/start/report.ts",
      edits: [{ from: "isAsked: false, said }", to: "isAsked: true, said }" }],
      suites: [startAndWaitRaces],
    },
    {
      what: "a wait returns the failure of a job that is yet to go on",
      file: "src/plugin/tools/services.ts",
      edits: [{ from: " || goingOn?.has(record)", to: "" }],
      suites: [graphTests],
    },
    {
      what: "a wait for a group returns without the jobs that it stands for",
      file: "src/plugin/tools/services.ts",
      edits: [{ from: "if (!record?.isGroup)", to: "if (true)" }],
      suites: [startAndReturnTests],
    },
    {
      what: "a start that waits keeps what was refused to itself",
      file: "src/plugin/tools/start/report.ts",
      edits: [{ from: "isAsked: false, said }", to: "isAsked: false }" }],
      suites: [startAndReturnTests],
    },
    {
      what: "an owner is told of each job by itself",
      file: "src/plugin/owners/deliveries.ts",
      edits: [{ from: `notify === "batch" ?`, to: `notify !== "batch" ?` }],
      suites: [batchTests],
    },
    {
      what: "what is told of one batch takes the first results of another along",
      file: "src/plugin/owners/deliveries.ts",
      edits: [{ from: ": !waits(record)", to: ": true" }],
      suites: [batchTests],
    },
    {
      what: "the time of a batch counts from its last result",
      file: "src/plugin/owners/gathering.ts",
      edits: [{ from: "Math.min(own, ", to: "Math.max(own, " }],
      suites: [batchTests],
    },
    {
      what: "a batch that is over waits for another",
      file: "src/plugin/owners/gathering.ts",
      edits: [{ from: "!running.has(batch)", to: "running.size === 0" }],
      suites: [batchTests],
    },
    {
      what: "the end of the last job of a batch is not noticed",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `        "job.ended": "window",\n        "inbox.emptied": "quiet",`,
          to: `        "inbox.emptied": "quiet",`,
        },
      ],
      suites: [batchTests],
    },
    {
      what: "a batch is looked at while its owner works",
      file: "src/plugin/owners/delivery-machine.ts",
      edits: [
        {
          from: `      exit: "forgetTime",
      on: {
        "owner.busy": "busy",`,
          to: `      exit: "forgetTime",
      on: {`,
        },
      ],
      suites: [deliveryMachineTests],
    },
    {
      what: "a task that names no agent gets one that its owner may not start",
      file: "src/plugin/tools/start/agents.ts",
      edits: [{ from: "there.find((each) => isPermitted(owner, each))", to: "there[0]" }],
      suites: [startAndReturnTests],
    },
    {
      what: "nobody hears that a task has another agent than usual",
      file: "src/plugin/tools/start/report.ts",
      edits: [{ from: "    ...reassigned(outcomes),\n    ...unasked", to: "    ...unasked" }],
      suites: [startAndReturnTests],
    },
  ],
  "A job moves on to its next model when it should not, or not as a whole": [
    {
      what: "a job is repeated although its child has changed something",
      file: "src/machines/job-setup.ts",
      edits: [
        { from: "changed }: LeaveChildOutput) => changed.length > 0", to: "}: LeaveChildOutput) => false" },
      ],
      suites: [fallbackTests, fallbackMachineTests, fallbackRaces],
    },
    {
      what: "a tool that nobody knows counts as one that only reads",
      file: "src/plugin/children/leaving.ts",
      edits: [
        { from: "!readOnly.has(part.tool)", to: `["bash", "edit", "write", "task"].includes(part.tool)` },
      ],
      suites: [fallbackTests],
    },
    {
      what: "a child that cannot be stopped is left to work on beside the next one",
      file: "src/plugin/children/effects.ts",
      edits: [{ from: `if (!aborted.ok) throw failure("prompt", aborted.error)`, to: "" }],
      suites: [fallbackTests],
    },
    {
      what: "the model of a subagent moves the job of its parent",
      file: "src/machines/job-fallbacks.ts",
      edits: [{ from: "!isSubagents && (", to: "(" }],
      suites: [fallbackTests, fallbackMachineTests],
    },
    {
      what: "a job that moves on waits for a slot that nobody has asked for",
      file: "src/machines/supervisor-machine.ts",
      edits: [
        {
          from: `if (!isPassedOver && !snapshot.matches({ prompting: { moving: "opening" } })) return`,
          to: "if (snapshot) return",
        },
      ],
      suites: [fallbackTests, fallbackMachineTests, fallbackRaces],
    },
    {
      what: "a job goes on with its next model in the slot of the one before",
      file: "src/machines/job-fallbacks.ts",
      edits: [{ from: "slotAt: job.model === context.job.model ? at : undefined", to: "slotAt: at" }],
      suites: [fallbackMachineTests, fallbackRaces],
    },
    {
      what: "the total clock stands where a job moves on, and begins anew",
      file: "src/machines/job-setup.ts",
      edits: [
        {
          from: "      movedAt: at,\n      remainingMs: remainingAt(context, at),\n",
          to: "      movedAt: at,\n",
        },
      ],
      suites: [fallbackMachineTests],
    },
    {
      what: "a job that could not leave its model ended when it began",
      file: "src/machines/job-setup.ts",
      edits: [{ from: "      movedAt: at,\n", to: "" }],
      suites: [fallbackMachineTests],
    },
    {
      what: "a job whose opencode ended between two models has failed of the first",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "if (isRefusalAll(messages))", to: "if (false)" }],
      suites: [fallbackTests],
    },
    {
      what: "a job has another key in its next session",
      file: "src/plugin/records/store.ts",
      edits: [{ from: "left ? StoredJob.parse(left.stored).key : randomUUID()", to: "randomUUID()" }],
      suites: [fallbackTests],
    },
    {
      what: "the session that a job has left still has it",
      file: "src/plugin/children/effects.ts",
      edits: [{ from: "    else if (left) store.markMoved(left.id, id)\n", to: "" }],
      suites: [fallbackTests],
    },
    {
      what: "of two sessions of a job the one that was written last has it, not the one for the next model",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "[record.attempts?.length ?? 0, child.updatedAt]", to: "[child.updatedAt]" }],
      suites: [leftBehindTests],
    },
    {
      what: "after a restart the next session may do what the one before could not",
      file: "src/plugin/children/effects.ts",
      edits: [{ from: "rules: left?.rules ?? (", to: "rules: (" }],
      suites: [fallbackTests],
    },
    {
      what: "what a child was told is not told to the next one",
      file: "src/plugin/children/leaving.ts",
      edits: [{ from: "[prompt, ...told, why]", to: "[prompt, why]" }],
      suites: [fallbackTests],
    },
    {
      what: "a job hears of the child that it has left",
      file: "src/plugin/children/watch.ts",
      edits: [{ from: "    if (before && before.session !== job.session) forget(before.session)\n", to: "" }],
      suites: [fallbackTests],
    },
  ],
  "An answer that does not fit its schema gets through": [
    {
      what: "what does not fit is done all the same",
      file: "src/plugin/children/turn-machine.ts",
      edits: [
        {
          from: `guard: "was told nothing more and has to fit", target: "checking"`,
          to: `guard: "was told nothing more and has to fit", target: "over"`,
        },
      ],
      suites: [turnTests, schemaTests],
    },
    {
      what: "an answer is corrected again and again",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: "!isRepair && !answer?.answers", to: "!answer?.answers" }],
      suites: [schemaTests],
    },
    {
      what: "a message that came meanwhile is never asked",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: `          { guard: "was told more", target: "answered" },\n`, to: "" }],
      suites: [turnTests],
    },
    {
      what: "a message uses up the one correction",
      file: "src/plugin/children/turn-machine.ts",
      edits: [{ from: "told, isRepair: false }", to: "told }" }],
      suites: [schemaTests],
    },
    {
      what: "a follow-up may answer in words",
      file: "src/plugin/children/messenger.ts",
      edits: [{ from: `      schema: stored?.schema,\n`, to: "" }],
      suites: [schemaTests],
    },
    {
      what: "a job that goes on after a crash may",
      file: "src/plugin/records/left-behind.ts",
      edits: [{ from: "    schema,\n    isolation:", to: "    isolation:" }],
      suites: [recoveryTests],
    },
    {
      what: "after a crash, an answer that does not fit is done",
      file: "src/plugin/records/left-behind.ts",
      edits: [
        {
          from: `if (checked && "problems" in checked) {`,
          to: `if (checked && "problems" in checked && recover === "resume") {`,
        },
      ],
      suites: [recoveryTests],
    },
    {
      what: "after a crash, the answer before the correction counts",
      file: "src/plugin/host/answers.ts",
      edits: [{ from: "finalAnswer(messages, repair?.id ?? last)", to: "finalAnswer(messages, last)" }],
      suites: [recoveryTests],
    },
    {
      what: "a correction has another id after a crash",
      file: "src/plugin/host/prompt-ids.ts",
      edits: [
        {
          from: "idAt(answeredAt + 1, repairTail(asked))",
          to: "idAt(answeredAt + 1, idTail(String(Math.random())))",
        },
      ],
      suites: ["test/plugin/host/prompt-ids.test.ts"],
    },
    {
      what: "an answer that does not fit is lost",
      file: "src/machines/job-answer.ts",
      edits: [{ from: `error === undefined || error.kind === "schema"`, to: "error === undefined" }],
      suites: [schemaTests],
    },
    {
      what: "words stand beside the data",
      file: "src/plugin/children/turn-machine.ts",
      edits: [
        { from: "text: JSON.stringify(checked.value), structured", to: "text: answer.text, structured" },
      ],
      suites: [schemaTests],
    },
  ],
  "A schema or an answer keeps opencode busy, or is read otherwise than it is meant": [
    {
      what: "repetitions are written out without end",
      file: "src/plugin/children/schema/pattern.ts",
      edits: [{ from: "if (++size > mostInstructions)", to: "if (++size > 1e9)" }],
      suites: [patternTests],
    },
    {
      what: "the first pattern of a schema is that of all its fields",
      file: "src/plugin/children/schema/pattern.ts",
      edits: [{ from: `    toString: () => source,\n`, to: "" }],
      suites: [validatorTests],
    },
    {
      what: "a place is looked for in another document",
      file: "src/plugin/children/schema/reading.ts",
      edits: [{ from: "!/^#(?:\\/|$)/.test(value)", to: "false" }],
      suites: [validatorTests],
    },
    {
      what: "what is no keyword is silently passed over",
      file: "src/plugin/children/schema/reading.ts",
      edits: [
        {
          from: `      else if (!isAnnotation(keyword)) this.#unknown(keyword, [...path, keyword])\n`,
          to: "",
        },
      ],
      suites: [validatorTests],
    },
    {
      what: "a schema that refers to itself without end is accepted",
      file: "src/plugin/children/schema/validator.ts",
      edits: [{ from: `    for (const probe of probes) check(probe)\n`, to: "" }],
      suites: [validatorTests],
    },
    {
      what: "what every object inherits counts as there",
      file: "src/plugin/children/schema/validator.ts",
      edits: [{ from: `    ownProperties: true,\n`, to: "" }],
      suites: [validatorTests],
    },
    {
      what: "of several values, the first counts",
      file: "src/plugin/children/schema/answer.ts",
      edits: [{ from: "fenced.slice(-mostTries).reverse()", to: "fenced.slice(-mostTries)" }],
      suites: [answerTests],
    },
  ],
  "One generation of opencode is taken for the other": [
    {
      what: "why the inspector did not start is only in the log, which opencode 2's background service discards",
      file: "src/plugin/person/inspection.ts",
      edits: [
        {
          from: "return host.problems.add(joined.problem)",
          to: 'return void host.log("warn", joined.problem)',
        },
      ],
      suites: ["test/plugin/person/inspection.test.ts"],
    },
    {
      what: "when opencode ends, the inspector's open tabs lose all jobs before they lose the connection",
      file: "src/plugin/person/inspection.ts",
      edits: [
        {
          from: "if (inspectors.projects > 0) return remove()",
          to: "remove()\n        if (inspectors.projects > 0) return",
        },
      ],
      suites: ["test/plugin/person/inspection.test.ts"],
    },
    {
      what: "on 1.18, which calls setup too, the part for opencode 2 begins beside the other",
      file: "src/plugin/opencode-2.ts",
      edits: [{ from: "if (isOf1(offered)) return async () => {}\n", to: "" }],
      suites: ["test/plugin/opencode-2.test.ts"],
    },
  ],
}
