import { readFileSync } from "node:fs"

/**
 * Mutants that prove nothing, each with its reason: the exceptions below, by the code that they stand in, and what no
 * test of the machines is about.
 */
export const strykerPlugins = [
  { kind: "Ignore", name: "mutants that prove nothing", value: { shouldIgnore } },
]

/**
 * What no test can tell from what stands there. `within` stands in the file once, and `code` in it once; by default it
 * is all of `within`. One that is not there any more is an error.
 */
const exceptions = [
  {
    file: "src/machines/limits.ts",
    within: "news.length > 0 ? told",
    code: "news.length > 0",
    reason: "a queue of which nobody hears anything is the same afterwards: it is only quicker",
  },
  {
    file: "src/machines/limits.ts",
    within: 'full.some(({ of }) => of === "")',
    reason: "where the widest limit is full nobody fits: it is only quicker",
  },
  {
    file: "src/machines/limits.ts",
    within: "widest?.turns",
    reason: "a limit that claims fall under is among these, which the compiler cannot see",
  },
  {
    file: "src/machines/limits.ts",
    within: "if (limits.holds.length === 0) return undefined",
    code: "limits.holds.length === 0",
    reason: "among no holds none is found: it is only quicker",
  },
  {
    file: "src/machines/needs.ts",
    within: '?? "failed"',
    code: '"failed"',
    reason: "what has ended is in one of these states, which the compiler cannot see",
  },
  {
    file: "src/machines/needs.ts",
    within: '"is done"',
    reason: "what is done breaks no need, which the compiler cannot see",
  },
  {
    file: "src/machines/system-machine.ts",
    within: "{ supervisor: supervisorMachine }",
    reason: "`createTroupe` provides it with its effects",
  },
  {
    file: "src/machines/crash-machine.ts",
    within: `{
    recordEnd: notProvided as RecordEnd,
    stopChild: notProvided as StopChild,
  }`,
    reason: "`createTroupe` provides it with its effects",
  },
  {
    file: "src/machines/crash-machine.ts",
    within: "child?.job.earlier",
    code: "child?.job",
    reason: "what was stopped was a child, which the compiler cannot see",
  },
  {
    file: "src/machines/crash-machine.ts",
    within: 'if (!child) throw new Error("there is no child to stop")',
    code: "!child",
    reason: "a child is there, which the compiler cannot see",
  },
  {
    file: "src/machines/crash-machine.ts",
    within: '"there is no child to stop"',
    reason: "a child is there, which the compiler cannot see",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: "if (!context.live.some((live) => needIn(live, end))) return",
    code: "!context.live.some((live) => needIn(live, end))",
    reason: "where nobody needs it nothing changes: it is only quicker",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: "{ job, ended = [] }: Start",
    code: "[]",
    reason: "whoever starts a job with needs says which of them have ended, which the compiler cannot see",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: "if (!blocked || !need) return each",
    code: "!blocked",
    reason: "what has an open need is blocked, which the compiler cannot see",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: 'snapshot.matches({ created: "opening" })',
    code: '{ created: "opening" }',
    reason: "to ask again for what was asked for changes nothing",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: '{ prompting: { moving: "opening" } }',
    code: '{ moving: "opening" }',
    reason: "to ask again for what was asked for changes nothing",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: "=> each.actor === actor)\n      if (!live) return",
    code: "!live",
    reason: "an actor that ends is one of its jobs', which the compiler cannot see",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: "live.find(({ actor }) => actor === actorId)?.job",
    reason: "an actor that ends is one of its jobs', which the compiler cannot see",
  },
  {
    file: "src/machines/supervisor-machine.ts",
    within: "{ job: jobMachine }",
    reason: "`createTroupe` provides it with its effects",
  },
  {
    file: "src/machines/job-record.ts",
    within: '?? "failed"',
    code: '"failed"',
    reason: "the machine has no other state, which the compiler cannot see",
  },
  {
    file: "src/machines/ledger.ts",
    within: "this.#byOwner.get(owner)?.set(id, Object.freeze(rest))",
    reason: "its owner has records, which the compiler cannot see",
  },
  {
    file: "src/machines/actor-tree.ts",
    within: "recordsOf(owner))] : []",
    code: ": []",
    reason: "an owner has a supervisor, which the compiler cannot see",
  },
  {
    file: "src/machines/actor-tree.ts",
    within: "job.getSnapshot()))] : []",
    code: ": []",
    reason: "a child is there, which the compiler cannot see",
  },
  {
    file: "src/machines/job-answer.ts",
    within: "!job.hasToPass || !answer",
    reason: "an answer is there that is to be checked, which the compiler cannot see",
  },
  {
    file: "src/machines/job-answer.ts",
    within: '"there is no answer to check"',
    reason: "an answer is there that is to be checked, which the compiler cannot see",
  },
  {
    file: "src/machines/job-answer.ts",
    within: "if (!answer || !check) return {}",
    code: "!answer || !check",
    reason: "an answer is there that was checked, which the compiler cannot see",
  },
  {
    file: "src/machines/job-answer.ts",
    within: 'redError(job.hasToPass?.command ?? "", check.round',
    code: 'job.hasToPass?.command ?? ""',
    reason: "what was checked has a command, which the compiler cannot see",
  },
  {
    file: "src/machines/job-fallbacks.ts",
    within: "job.fallbacks?.slice(",
    code: "job.fallbacks?.slice",
    reason: "a model is passed over where there is another one, which the compiler cannot see",
  },
  {
    file: "src/machines/job-fallbacks.ts",
    within: '"its provider"',
    reason: "who is held has a model of a provider, which the compiler cannot see",
  },
  {
    file: "src/machines/job-fallbacks.ts",
    within: "(job.attempts ?? []).slice(0, -1)",
    code: "?? []",
    reason: "there is the one that it is about, which the compiler cannot see",
  },
  {
    file: "src/machines/job-fallbacks.ts",
    within: "const [next, ...fallbacks] = job.fallbacks ?? []",
    code: "?? []",
    reason: "a model is left where there is another one, which the compiler cannot see",
  },
  {
    file: "src/machines/job-fallbacks.ts",
    within: "model: next?.model",
    code: "next?.model",
    reason: "a model is left where there is another one, which the compiler cannot see",
  },
  {
    file: "src/machines/job-fallbacks.ts",
    within: "variant: next?.variant",
    code: "next?.variant",
    reason: "a model is left where there is another one, which the compiler cannot see",
  },
  {
    file: "src/machines/job-ending.ts",
    within: 'job.fallbacks?.[0]?.model ?? "the next model"',
    reason: "a model is left where there is another one, which the compiler cannot see",
  },
  {
    file: "src/machines/job-ending.ts",
    within: "ending.error?.kind",
    reason: "a failure has an error, which the compiler cannot see",
  },
  {
    file: "src/machines/job-setup.ts",
    within: 'context.asks[0]?.kind === "permission"',
    code: "context.asks[0]?.kind",
    reason: "nobody asks where there is no ask",
  },
  {
    file: "src/machines/job-setup.ts",
    within: 'context.asks[0]?.kind === "question"',
    code: "context.asks[0]?.kind",
    reason: "nobody asks where there is no ask",
  },
  {
    file: "src/machines/job-machine.ts",
    within: 'context.ending?.state ?? "failed"',
    reason: "where it ends, how is decided, which the compiler cannot see",
  },
  {
    file: "src/machines/job-clock.ts",
    within: 'event.type === "child.retrying" ?',
    code: 'event.type === "child.retrying"',
    reason: "nothing else leads there, which the compiler cannot see",
  },
  {
    file: "src/machines/job-ending.ts",
    within: 'job.hasToPass?.command ?? ""',
    reason: "what was checked has a command, which the compiler cannot see",
  },
  {
    file: "src/machines/job-setup.ts",
    within: "job.hasToPass?.attempts",
    reason: "what was checked has a command, which the compiler cannot see",
  },
  {
    file: "src/machines/job-fallbacks.ts",
    within: '{ kind: "provider", message: "no reason was given" }',
    reason: "what cannot be had, or is left, has its reason, which the compiler cannot see",
  },
  {
    file: "src/plugin/records/writer-machine.ts",
    within: "writing?.patch",
    reason: "where it is written there is a change, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/fence.ts",
    within: "attempt++",
    reason: "each attempt has another number, whichever way they go",
  },
  {
    file: "src/plugin/children/schema/answer.ts",
    within: '[, inner = ""]',
    code: '""',
    reason: "a block has what it fences, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/check/tail.ts",
    within: "this.#bytes > 2 * mostBytes || this.#kept.length > 1_000",
    reason: "it bounds memory, and how often all is joined",
  },
  {
    file: "src/plugin/children/check/tail.ts",
    within: "this.#bytes += chunk.length",
    reason: "it bounds memory",
  },
  {
    file: "src/plugin/children/check/red.ts",
    within: 'job.hasToPass?.command ?? ""',
    reason: "what was checked has a command, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/check/red.ts",
    within: '{ output = "", exitCode',
    code: '""',
    reason: "what was checked has an output, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: "context.answer?.error !== undefined",
    code: "context.answer?.error",
    reason: "where a turn is over it has an answer, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: "answer?.answers?.some",
    code: "answer?.answers",
    reason: "where a turn is over it has an answer, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: "context.told[0]?.isSent",
    reason: "where nothing was told the turn is over already",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: "answer?.at ?? 0",
    code: "answer?.at",
    reason: "where a turn is over it has an answer, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: '"problems" in checked ? checked.problems : []',
    code: ": []",
    reason: "what does not fit has problems, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: 'answer && "value" in checked',
    reason: "what fits has an answer and its value, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: 'answer?.text ?? ""',
    code: "answer?.text",
    reason: "where a turn is over it has an answer, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: 'text: answer?.text ?? ""',
    code: '""',
    reason: "where a turn is over it has an answer, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/turn-machine.ts",
    within: '"problems" in output ? output.problems : []',
    code: ": []",
    reason: "what does not fit has problems, which the compiler cannot see",
  },
  {
    file: "src/plugin/children/handed-over.ts",
    within: '.join("\\n")\n  return fenceFor',
    code: '"\\n"',
    reason: "what two results make together ends no fence",
  },
  {
    file: "src/plugin/children/kept-results.ts",
    within: 'flag: "wx"',
    code: '"wx"',
    reason: "it is for a link that somebody puts there in that very moment",
  },
  {
    file: "src/plugin/worktrees/note.ts",
    within: 'readFile(noteFile(root), "utf8")',
    code: '"utf8"',
    reason: "JSON is read from bytes as well",
  },
  {
    file: "src/plugin/person/toast-machine.ts",
    within: "newest?.id",
    reason: "a request is due where one is taken, which the compiler cannot see",
  },
  {
    file: "src/plugin/person/toast-machine.ts",
    within: "notices[0]?.duration",
    reason: "a notice is due where one is taken, which the compiler cannot see",
  },
  {
    file: "src/plugin/person/toasts.ts",
    within: "const asked = before?.asks ?? []",
    code: "?? []",
    reason: "nobody sees that something ends which was never shown",
  },
  {
    file: "src/plugin/person/toasts.ts",
    within: "without(asks, before?.asks ?? [])",
    code: "?? []",
    reason: "no request is what the tool puts there",
  },
  {
    file: "src/plugin/owners/delivery-machine.ts",
    within: 'composed.outcome === "composed"',
    reason: "it is kept where there is one, which the compiler cannot see",
  },
  {
    file: "src/plugin/owners/delivery-machine.ts",
    within: 'composed.outcome === "early"',
    reason: "it is kept where it is early, which the compiler cannot see",
  },
  {
    file: "src/plugin/owners/delivery-machine.ts",
    within: 'if (!message) throw new Error("no message was composed")',
    code: "!message",
    reason: "one is under way, which the compiler cannot see",
  },
  {
    file: "src/plugin/owners/delivery-machine.ts",
    within: '"no message was composed"',
    reason: "one is under way, which the compiler cannot see",
  },
  {
    file: "src/plugin/owners/budget-machine.ts",
    within: "spent.cost >= cost * (1 - tolerance)",
    reason: "nobody counts to the last digit",
  },
  {
    file: "src/plugin/owners/budgets.ts",
    within: "before?.session !== record.session",
    reason: "what its jobs use is known already: it is only quicker",
  },
  {
    file: "src/plugin/owners/budgets.ts",
    within: "before && isSameFor(before, record)",
    reason: "what is told again changes nothing: it is only quicker",
  },
  {
    file: "src/plugin/owners/budgets.ts",
    within: `before.usage === record.usage &&
  before.subagents === record.subagents &&
  standOf(before) === standOf(record)`,
    reason: "what is told again changes nothing: it is only quicker",
  },
  {
    file: "src/plugin/owners/budgets.ts",
    within: "if (record.batch !== undefined) this.#end",
    code: "record.batch !== undefined",
    reason: "without a batch none is kept, which the compiler cannot see",
  },
  {
    file: "src/plugin/owners/budgets.ts",
    within: "if (batch === undefined) return undefined",
    code: "batch === undefined",
    reason: "without a batch a job has no budget, which the compiler cannot see",
  },
  {
    file: "src/plugin/owners/budgets.ts",
    within: "this.#above(owner).length > 0",
    reason: "where nothing is limited nobody looks at what all have used: it is only quicker",
  },
  {
    file: "src/plugin/owners/budgets.ts",
    within: '"asked" : "unasked"',
    code: '"unasked"',
    reason: "what is neither asked nor ended is unasked, whatever it is called",
  },
  {
    file: "src/plugin/host/answers.ts",
    within: 'message.role === "user" && message.summarizesUntil',
    code: 'message.role === "user"',
    reason: "no answer is a summary, which the compiler cannot see",
  },
  {
    file: "src/plugin/host/answers.ts",
    within: 'if (message.role === "user")',
    code: 'message.role === "user"',
    reason: "what is asked has neither end nor refusal, which the compiler cannot see",
  },
  {
    file: "src/plugin/host/v2/storage.ts",
    within: "found.at(-1)?.key",
    reason: "a full page has a last entry, which the compiler cannot see",
  },
  {
    file: "src/plugin/host/v2/stored-sessions.ts",
    within: `{
      if (this.#changing.get(session) === changing) this.#changing.delete(session)
    }`,
    reason: "it frees memory",
  },
  {
    file: "src/plugin/host/rules.ts",
    within: 'wide === "*" ||',
    code: 'wide === "*"',
    reason: "it spares the rest, which says the same",
  },
  {
    file: "src/plugin/host/rules.ts",
    within: "!hasWildcard(wide)",
    reason: "it spares the rest, which says the same",
  },
  {
    file: "src/util/out-of-place.ts",
    within: 'typeof step === "symbol"',
    reason: "no field's name is a symbol, which the compiler cannot see",
  },
  {
    file: "src/util/out-of-place.ts",
    within: "schema.properties?.[step]",
    reason: "what has the field in a value has fields, which the compiler cannot see",
  },
  {
    file: "src/util/out-of-place.ts",
    within: "!Array.isArray(given)",
    reason: "no schema is a tuple, which the compiler cannot see",
  },
  {
    file: "src/plugin/tools/discard.ts",
    within: "isEmpty || commit === undefined",
    code: "commit === undefined",
    reason: "what holds anything was sealed and so has a commit, which the compiler cannot see",
  },
  {
    file: "src/plugin/tools/services.ts",
    within: "return record ?? []",
    code: "?? []",
    reason: "owners are forgotten when theirs have ended, which the compiler cannot see",
  },
  {
    file: "src/plugin/tools/start/list-ids.ts",
    within: "if (id === undefined) return []",
    code: "[]",
    reason: "nobody can ask for an id that no job can have",
  },
  {
    file: "src/plugin/tools/start/start.ts",
    within: 'outcomes.filter((outcome) => "id" in outcome)',
    reason: "no job has the key of what was refused",
  },
  {
    file: "src/plugin/tools/start/report.ts",
    within: 'error?.message ?? ""',
    reason: "those alone are here that have an error",
  },
].map(placed)

/** With the place of its code in the file. */
function placed({ file, within, code = within, reason }) {
  const start = onlyPlace(readFileSync(file, "utf8"), within, file) + onlyPlace(within, code, within)
  // An operator is no node: what follows it is meant.
  const [operator = ""] = /^(\?\?|:) /.exec(code) ?? []
  return { file, start: start + operator.length, end: start + code.length, reason }
}

function onlyPlace(text, part, name) {
  const start = text.indexOf(part)
  if (start >= 0 && start === text.lastIndexOf(part)) return start
  throw new Error(`stryker.ignore.mjs: this does not stand once in ${name}: ${part}`)
}

function shouldIgnore(path) {
  const { node, parentPath } = path
  const inFile = path.hub.file.opts.filename
  const exception = exceptions.find(
    ({ file, start, end }) => node.start === start && node.end === end && inFile.endsWith(`/${file}`),
  )
  if (exception) return exception.reason
  const key = parentPath?.isObjectProperty() && parentPath.node.value === node ? parentPath.node.key.name : ""
  if (node.type === "StringLiteral" && (key === "id" || key === "initial"))
    return `xstate puts another \`${key}\` there, or makes no machine at all`
  if (node.type === "ObjectExpression" && key === "types") return "types are for the compiler alone"
  if (key === "description" && path.findParent(isMachine)) return "test/docs looks at what states mean"
  if (isReasons(path)) return "reasons are words for documents alone"
  return undefined
}

const isMachine = ({ node }) =>
  node.type === "CallExpression" && node.callee.property?.name === "createMachine"

const isReasons = ({ node, parentPath }) =>
  node.type === "ObjectExpression" &&
  parentPath?.isVariableDeclarator() &&
  parentPath.node.id.name?.endsWith("Reasons")
