import { setTimeout as after } from "node:timers/promises"
import type { EndedState } from "../src/machines/record.ts"
import { ok } from "../test/support/replies.ts"
import type { Reply, ScriptedModel } from "../test/support/scripted-model.ts"

/** How many of the eight jobs may prompt at once: the other four are queued. */
export const concurrency = 4

/** What a person asks of the main agent. */
export const request = "Get this project ready for its release."

/** One job: what the main agent asks of it, what its model says, and what must come of it. */
export type Fate = {
  task: { id: string; description: string; prompt: string; timeout?: number }
  /** To its successive requests. */
  replies: Reply[]
  expected: {
    state: EndedState
    text: string
    /** Of a job that is stopped as it writes: how many characters of its text there must be. */
    atLeast?: number
    /** Part of the reason why it is not done. */
    reason?: string
    /** A state.phase that it must have been seen in. */
    passes?: string
  }
}

const releaseNotes = [
  "Release notes of 2.0",
  "",
  ...Array.from({ length: 40 }, (_, at) => {
    const changed = ["The parser", "The cache", "The command line", "The page", "The importer"][at % 5]
    const change = ["reads", "keeps", "names", "shows"][at % 4]
    return `${String(at + 1).padStart(2)}. ${changed} now ${change} what it ${at % 2 ? "was given" : "could not find"}, and says so when it is asked (#${311 + at * 7}).`
  }),
].join("\n")

const survey = [
  "Seven tools do something alike. The first of them starts its workers one after another, so that",
  "nothing is gained by having many. The second forgets its results when it is closed. The third has",
  "a page, but it is open to the whole network. The fourth has not been touched for two years, and the",
  "fifth needs an account. The sixth and the seventh are one and the same under two names.",
].join(" ")

export const fates: Fate[] = [
  {
    task: {
      id: "fast",
      description: "Find entry point",
      prompt: "Where does this program start? Name the file.",
    },
    replies: [text("The program starts in src/main.ts.", { seconds: 0.5, pieces: 5 })],
    expected: { state: "done", text: "The program starts in src/main.ts." },
  },
  {
    task: {
      id: "error",
      description: "Audit licences",
      prompt: "Do the licences of all dependencies allow a release?",
    },
    replies: [
      { type: "error", status: 401, body: { error: { message: "Incorrect API key provided: sk-demo" } } },
    ],
    expected: { state: "failed", text: "", reason: "Incorrect API key provided" },
  },
  {
    task: {
      id: "slow",
      description: "Walk through tests",
      prompt: "Which parts do the tests leave out? Look at each of them.",
    },
    replies: [
      {
        type: "tool",
        calls: [{ name: "read", args: { filePath: "opencode.json" } }],
        tokens: { input: 2_100, output: 24 },
      },
      text("I went through all 214 tests, one by one. The exporter is the only part without any.", {
        seconds: 3.5,
        pieces: 30,
      }),
    ],
    expected: {
      state: "done",
      text: "I went through all 214 tests, one by one. The exporter is the only part without any.",
    },
  },
  {
    task: {
      id: "cancelled",
      description: "Survey other tools",
      prompt: "What do other tools of this kind do better? Compare them all.",
    },
    replies: [text(survey, { seconds: 60, pieces: 300 })],
    expected: { state: "cancelled", text: survey, atLeast: 1, reason: "the release can do without it" },
  },
  {
    task: {
      id: "retried",
      description: "Check all links",
      prompt: "Does every link in the documentation lead somewhere?",
    },
    replies: [
      { type: "error", status: 429, body: { error: { message: "Rate limit reached" } } },
      text("All 57 links lead somewhere.", { seconds: 0.4, pieces: 4 }),
    ],
    expected: { state: "done", text: "All 57 links lead somewhere.", passes: "prompting.retrying" },
  },
  {
    task: {
      id: "timeout",
      description: "Profile start-up",
      prompt: "Why does it take so long to start? Measure it.",
      timeout: 3,
    },
    replies: [{ type: "hold", text: "A cold start takes 410 ms. A warm one", until: new Promise(() => {}) }],
    expected: {
      state: "timedOut",
      text: "A cold start takes 410 ms. A warm one",
      // On a busy machine the time is over before the model is asked.
      atLeast: 0,
      reason: "not done within 3 s",
    },
  },
  {
    task: {
      id: "long",
      description: "Draft the notes",
      prompt: "Write the release notes, with every change since 1.9.",
    },
    replies: [text(releaseNotes, { seconds: 1.5, pieces: 60 })],
    expected: { state: "done", text: releaseNotes },
  },
  {
    task: {
      id: "queued",
      description: "Read changelog",
      prompt: "Is anything missing from the changelog?",
    },
    replies: [text("Nothing is missing from the changelog.", { seconds: 1, pieces: 8 })],
    expected: { state: "done", text: "Nothing is missing from the changelog." },
  },
]

/** What the main agent says at the end. */
export const conclusion =
  "The release is nearly ready: the notes are written, the links and the changelog are fine. " +
  "Still open: tests for the exporter, the licences (the key was refused) and the start-up time."

const cancellation = call("agents_cancel", {
  ids: ["cancelled"],
  reason: "the release can do without it",
})

/** The main agent's turn: it hands everything out in one call, looks in, drops what it need not have, and collects. */
const mainTurn: Reply[] = [
  call("agents_start", { tasks: fates.map(({ task }) => task) }),
  call("agents_wait", { timeout: 2.5 }),
  cancellation,
  call("agents_wait", { ids: fates.map(({ task }) => task.id) }),
  { type: "text", text: conclusion },
]

/** Teaches the model all that it has to say. */
export function rehearse(model: ScriptedModel): void {
  for (const { task, replies } of fates) model.script(task.prompt, replies)
  let step = 0
  model.on(
    ({ text }) => text === request,
    async () => {
      const reply = mainTurn[step++] ?? ok
      if (reply === cancellation) await hasWritten(model, "cancelled")
      return reply
    },
  )
}

/** Which jobs get the first slots is not certain: the one to be cancelled may have started only just now. */
async function hasWritten(model: ScriptedModel, id: string): Promise<void> {
  const prompt = fates.find(({ task }) => task.id === id)?.task.prompt
  const { at } = await model.waitFor(({ text }) => text === prompt)
  await after(Math.max(0, at + 1500 - Date.now()))
}

function call(name: string, args: object): Reply {
  return { type: "tool", calls: [{ name, args }] }
}

/** An answer of this length in time; what it uses is in the range of what a real model's answer would. */
function text(words: string, { seconds, pieces = 1 }: { seconds: number; pieces?: number }): Reply {
  return {
    type: "text",
    text: words,
    chunks: pieces,
    delayMs: (seconds * 1000) / pieces,
    tokens: { input: 2_100 + words.length, output: Math.ceil(words.length / 4) },
  }
}
