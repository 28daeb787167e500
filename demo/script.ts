import { setTimeout as after } from "node:timers/promises"
import type { EndedState } from "../src/machines/record.ts"
import type { Generation } from "../test/support/any-opencode.ts"
import { type Message, type Reply, type ScriptedModel, textOf } from "../test/support/scripted-model.ts"
import type { Call } from "./board.ts"

/** Prompts in flight: half of the jobs start at once, the other half are queued. */
export const concurrency = 4

/** The user's request to the main agent. */
export const request = "Get this project ready for release."

/** opencode's title for the main agent's session. */
export const title = "Release preparations"

/** One job: its task, what its model answers, and the outcome that proves the demo right. */
export type PlannedJob = {
  task: { id: string; description: string; prompt: string; timeout?: number }
  /** To successive requests of the child. `generation`: opencode's, whose own tools take other arguments in each. */
  replies: (generation: Generation) => Reply[]
  expected: {
    state: EndedState
    text: string
    /** For a job that is stopped while it writes: the least number of characters that must be kept. */
    atLeast?: number
    /** Part of the reason why the job is not done. */
    reason?: string
    /** A `state.phase` that the job must go through. */
    passes?: string
  }
}

const releaseNotes = [
  "Release notes of 2.0",
  "",
  ...Array.from({ length: 40 }, (_, at) => {
    const area = ["Parser", "Cache", "Command line", "Exporter", "Importer"][at % 5]
    const change = [
      "reports the line of an error",
      "is twice as fast on large files",
      "accepts relative paths",
      "no longer drops the last entry",
    ][at % 4]
    return `${String(at + 1).padStart(2)}. ${area}: ${change} (#${311 + at * 7}).`
  }),
].join("\n")

const survey = [
  "Seven tools are similar. The first starts its workers one after another, so nothing runs in parallel.",
  "The second loses its results when it is closed. The third has a web page, but anyone on the network can",
  "open it. The fourth has had no release for two years, and the fifth requires an account. The sixth and",
  "the seventh are the same tool under two names.",
].join(" ")

export const plan: PlannedJob[] = [
  {
    task: {
      id: "entry",
      description: "Find entry point",
      prompt: "Which file is the entry point of this program?",
    },
    replies: () => [text("The program starts in src/main.ts.", { seconds: 0.5, pieces: 5 })],
    expected: { state: "done", text: "The program starts in src/main.ts." },
  },
  {
    task: {
      id: "licences",
      description: "Audit licences",
      prompt: "Do the licences of all dependencies permit a release?",
    },
    replies: () => [{ type: "error", status: 401, body: { error: { message: "Invalid API key" } } }],
    expected: { state: "failed", text: "", reason: "Invalid API key" },
  },
  {
    task: {
      id: "tests",
      description: "Find untested code",
      prompt: "Which parts of the code have no tests?",
    },
    replies: (generation) => [
      {
        type: "tool",
        calls: [{ name: "read", args: { [generation === 1 ? "filePath" : "path"]: "opencode.json" } }],
        tokens: { input: 2_100, output: 24 },
      },
      text("Only the exporter has no tests.", {
        seconds: 3.5,
        pieces: 30,
      }),
    ],
    expected: {
      state: "done",
      text: "Only the exporter has no tests.",
    },
  },
  {
    task: {
      id: "survey",
      description: "Compare other tools",
      prompt: "What do similar tools do better? Compare them all.",
    },
    replies: () => [text(survey, { seconds: 60, pieces: 300 })],
    expected: { state: "cancelled", text: survey, atLeast: 1, reason: "not needed for the release" },
  },
  {
    task: {
      id: "links",
      description: "Check the links",
      prompt: "Does every link in the documentation work?",
    },
    replies: () => [
      { type: "error", status: 429, body: { error: { message: "Rate limit reached" } } },
      text("All 57 links work.", { seconds: 0.4, pieces: 4 }),
    ],
    expected: { state: "done", text: "All 57 links work.", passes: "prompting.retrying" },
  },
  {
    task: {
      id: "startup",
      description: "Profile the startup",
      prompt: "Why is the startup so slow? Measure it.",
      timeout: 3,
    },
    replies: () => [
      { type: "hold", text: "A cold start takes 410 ms. A warm one", until: new Promise(() => {}) },
    ],
    expected: {
      state: "timedOut",
      text: "A cold start takes 410 ms. A warm one",
      // On a busy machine the timeout comes before the model was asked.
      atLeast: 0,
      reason: "3 s",
    },
  },
  {
    task: {
      id: "notes",
      description: "Draft release notes",
      prompt: "Write release notes with every change since 1.9.",
    },
    replies: () => [text(releaseNotes, { seconds: 1.5, pieces: 60 })],
    expected: { state: "done", text: releaseNotes },
  },
  {
    task: {
      id: "changelog",
      description: "Read the changelog",
      prompt: "Is anything missing from the changelog?",
    },
    replies: () => [text("No change is missing.", { seconds: 1, pieces: 8 })],
    expected: { state: "done", text: "No change is missing." },
  },
]

/** The main agent's answer at the end of its turn. */
export const conclusion =
  "The release is nearly ready: the notes are written, the links and the changelog are fine. " +
  "Still open: tests for the exporter, the licences (the provider rejected the API key) and the startup time."

const cancellation: Call = {
  tool: "agents_cancel",
  input: { ids: ["survey"], reason: "not needed for the release" },
}

/** The main agent's turn: start all jobs in one call, wait a little, cancel one, wait for the rest, then answer. */
const mainTurn: Call[] = [
  { tool: "agents_start", input: { tasks: plan.map(({ task }) => task) } },
  { tool: "agents_wait", input: { timeout: 2.5 } },
  cancellation,
  { tool: "agents_wait", input: { ids: plan.map(({ task }) => task.id) } },
]

/** What the main agent's model says and is told. */
export type MainAgent = { called(call: Call): void; returned(output: string): void }

/** Scripts the answers of all models. */
export function scriptModel(
  model: ScriptedModel,
  generation: Generation,
  { called, returned }: MainAgent,
): void {
  for (const { task, replies } of plan) model.script(task.prompt, replies(generation))
  let step = 0
  model.on(
    ({ text }) => text === request,
    async ({ messages }) => {
      const result = resultIn(messages)
      if (result !== undefined) returned(result)
      const call = mainTurn[step++]
      if (!call) return { type: "text", text: conclusion }
      if (call === cancellation) await hasWritten(model, "survey")
      called({ ...call })
      return { type: "tool", calls: [{ name: call.tool, args: call.input }] }
    },
  )
}

/** What the tool returned that was called last. */
function resultIn(messages: readonly Message[]): string | undefined {
  const last = messages.at(-1)
  return last?.role === "tool" ? textOf(last) : undefined
}

/** The order in which jobs get slots is not certain: the one to cancel may have started only just now. */
async function hasWritten(model: ScriptedModel, id: string): Promise<void> {
  const prompt = plan.find(({ task }) => task.id === id)?.task.prompt
  const { at } = await model.waitFor(({ text }) => text === prompt)
  await after(Math.max(0, at + 1500 - Date.now()))
}

/** An answer that takes this long, with token counts that are plausible for its length. */
function text(words: string, { seconds, pieces = 1 }: { seconds: number; pieces?: number }): Reply {
  return {
    type: "text",
    text: words,
    chunks: pieces,
    delayMs: (seconds * 1000) / pieces,
    tokens: { input: 2_100 + words.length, output: Math.ceil(words.length / 4) },
  }
}
