import { join } from "node:path"
import * as z from "zod"
import { JOB_TOOLS } from "../src/plugin/tools/index.ts"
import { answered } from "../test/support/answered.ts"
import type { Generation } from "../test/support/any-opencode.ts"
import { startOpencode } from "../test/support/opencode.ts"
import { startOpencode2 } from "../test/support/opencode-2.ts"
import { Api } from "../test/support/opencode-2-server.ts"
import type { ScriptedModel } from "../test/support/scripted-model.ts"

/** A real opencode of either generation, as far as the parts measure it. */
export interface BenchOpencode {
  readonly generation: Generation
  readonly pid: number
  /** A new session with a title of its own: making one up would cost a model request. */
  session(): Promise<string>
  /** Prompts a session and returns when its turn is over. */
  prompt(session: string, text: string): Promise<void>
  /** The tool calls in a session, as opencode recorded them. */
  calls(session: string): Promise<RecordedCall[]>
  /** When a child's last message was complete, by opencode's record of it, epoch milliseconds. */
  endOf(child: string): Promise<number>
  /** Has one piece of work done as a script would that wants it fast: in a session of its own. */
  bareJob(owner: string, title: string, text: string): Promise<void>
  /** Ends the turn of a session, as a person would. */
  abort(session: string): Promise<void>
  stop(): Promise<void>
}

/** Times in epoch milliseconds. */
export type RecordedCall = { id: string; start: number; end: number; output: string; metadata: unknown }

export type BenchOptions = {
  model: ScriptedModel
  /** The folder of the built plugin, and its options; false for none. */
  plugin: { folder: string; options?: object } | false
  env?: Record<string, string>
}

export function startBench(generation: Generation, options: BenchOptions): Promise<BenchOpencode> {
  return generation === 1 ? startOne(options) : startTwo(options)
}

/** What opencode 1.18 loads, and opencode 2. */
export const entryOf = (generation: Generation, folder: string) =>
  generation === 1 ? join(folder, "dist", "server.js") : folder

async function startOne({ model, plugin, env = {} }: BenchOptions): Promise<BenchOpencode> {
  const given = plugin && { ...plugin, path: entryOf(1, plugin.folder) }
  const opencode = await startOpencode({ model, plugin: given, env })
  const { client } = opencode
  const messages = (sessionID: string) => answered("the messages", client.session.messages({ sessionID }))
  const withoutJobTools = Object.fromEntries(JOB_TOOLS.map((name) => [name, false]))
  return {
    generation: 1,
    pid: opencode.pid,
    session: () => opencode.session({ title: "bench" }),
    async prompt(sessionID, text) {
      await answered("the prompt", client.session.prompt({ sessionID, parts: [{ type: "text", text }] }))
    },
    async calls(session) {
      const parts = (await messages(session)).flatMap((message) => message.parts)
      return parts.flatMap((part) => {
        if (part.type !== "tool") return []
        if (part.state.status !== "completed")
          throw new Error(`a tool call failed: ${JSON.stringify(part.state)}`)
        const { time, output, metadata } = part.state
        return { id: part.callID, ...time, output, metadata }
      })
    },
    async endOf(child) {
      const last = (await messages(child)).findLast(({ info }) => info.role === "assistant")?.info
      if (last?.role !== "assistant" || last.time.completed === undefined)
        throw new Error(`child ${child} has no final answer`)
      return last.time.completed
    },
    async bareJob(parentID, title, text) {
      const sessionID = await opencode.session({ parentID, title, agent: "general" })
      const prompt = {
        sessionID,
        agent: "general",
        tools: withoutJobTools,
        parts: [{ type: "text" as const, text }],
      }
      const { info } = await answered("a prompt", client.session.prompt(prompt))
      if (info.error) throw new Error(`a prompt failed: ${JSON.stringify(info.error)}`)
    },
    async abort(sessionID) {
      await answered("the abort", client.session.abort({ sessionID }))
    },
    stop: () => opencode.stop(),
  }
}

const Made = z.object({ id: z.string() })
const Message = z.object({
  type: z.string(),
  time: z.object({ completed: z.number().optional() }),
  content: z.array(z.object({ type: z.string() }).loose()).default([]),
  outcome: z.string().optional(),
})
const Call = z.object({
  id: z.string(),
  time: z.object({ ran: z.number(), completed: z.number() }),
  state: z.object({
    status: z.literal("completed"),
    content: z.array(z.object({ text: z.string().default("") })),
    metadata: z.unknown(),
  }),
})

async function startTwo({ model, plugin, env = {} }: BenchOptions): Promise<BenchOpencode> {
  const given = plugin && { ...plugin, path: entryOf(2, plugin.folder) }
  const opencode = await startOpencode2({ model, plugin: given, env })
  const api = new Api(opencode.url)
  const location = { directory: opencode.project }
  const messages = async (session: string) =>
    z.array(Message).parse(await api.ask("GET", `session/${session}/context`))
  const withoutJobTools = JOB_TOOLS.map((action) => ({ action, resource: "*", effect: "deny" }))
  const make = async (session: object) =>
    Made.parse(await api.ask("POST", "session", { location, ...session })).id
  const prompt = async (session: string, text: string) => {
    await api.ask("POST", `session/${session}/prompt`, { text })
    await api.ask("POST", `experimental/session/${session}/wait`)
  }
  return {
    generation: 2,
    pid: opencode.pid,
    session: () => make({ title: "bench" }),
    prompt,
    async calls(session) {
      const parts = (await messages(session)).flatMap(({ content }) => content)
      return parts
        .filter(({ type }) => type === "tool")
        .map((part) => {
          const { id, time, state } = Call.parse(part)
          const output = state.content.map(({ text }) => text).join("\n")
          return { id, start: time.ran, end: time.completed, output, metadata: state.metadata }
        })
    },
    async endOf(child) {
      const last = (await messages(child)).findLast(({ type }) => type === "assistant")
      if (last?.time.completed === undefined) throw new Error(`child ${child} has no final answer`)
      return last.time.completed
    },
    // Its API makes no children, but a session of its own costs the same.
    async bareJob(_, title, text) {
      const session = await make({ title, agent: "general", permissions: withoutJobTools })
      await prompt(session, text)
      const { outcome } = (await messages(session)).at(-1) ?? {}
      if (outcome !== "succeeded") throw new Error(`a prompt failed: ${outcome}`)
    },
    abort: (session) => opencode.abort(session),
    stop: () => opencode.stop(),
  }
}
