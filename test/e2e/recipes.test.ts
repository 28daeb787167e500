import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { afterAll, beforeAll, expect, test } from "vitest"
import type { AnyProject, ToolOutcome } from "../support/any-opencode.ts"
import type { BuiltInTools } from "../support/built-in-tools.ts"
import { describeBoth } from "../support/generations.ts"
import { jobsOf } from "../support/jobs.ts"
import { readRecipes } from "../support/recipes.ts"
import type { Reply } from "../support/replies.ts"
import { type ModelRequest, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts"

const recipes = readRecipes()

type Scenario = {
  /** What the project has beforehand, by name. */
  files?: Record<string, string>
  /** What a child says: a text, or a reply of another kind. */
  answer(request: ModelRequest, tools: BuiltInTools): string | Reply
  /** What the owner has of it, call by call. */
  expected(outcomes: ToolOutcome[], project: string): void
}

const scenarios: Record<string, Scenario> = {
  "Map over files": {
    answer: ({ text }) =>
      text.includes("Find the source files")
        ? JSON.stringify({ files: ["src/form.ts", "src/upload.ts"] })
        : `${/Review (\S+)/.exec(text)?.[1]}:12 is not validated`,
    expected([started]) {
      expect(statesOf(started)).toEqual({
        find: "done",
        review: "done",
        "review.1": "done",
        "review.2": "done",
      })
      expect(started?.output).toContain("src/form.ts:12 is not validated")
      expect(started?.output).toContain("src/upload.ts:12 is not validated")
    },
  },

  "Several reviews, one verdict": {
    answer({ text }) {
      if (!text.includes("Decide from these reviews")) {
        const [, view = ""] = /for (security|speed|readability) only/.exec(text) ?? []
        return view === "speed" ? refused : `${view} is fine`
      }
      return `from ${["security", "speed", "readability"].filter((view) => text.includes(`${view} is fine`)).join(" and ")}: merge`
    },
    expected([started]) {
      expect(statesOf(started)).toEqual({
        security: "done",
        speed: "failed",
        readability: "done",
        verdict: "done",
      })
      expect(started?.output).toContain("from security and readability: merge")
    },
  },

  Race: {
    answer: ({ text }) =>
      text.includes("controlling the clock") ? "set the clock to 23:59:59" : { type: "silent" },
    expected([, waited, cancelled]) {
      expect(waited?.output).toContain("set the clock to 23:59:59")
      expect(statesOf(cancelled)).toEqual({ order: "cancelled", load: "cancelled" })
    },
  },

  "Pipeline with a check": {
    answer({ text }) {
      if (text.includes("Run npm test")) return '{"passes": false, "problem": "the retry test times out"}'
      if (text.includes("Check again")) return '{"passes": true}'
      return "written"
    },
    expected([started, , , , checked]) {
      expect(statesOf(started)).toEqual({ write: "done", check: "done" })
      expect(structuredOf(started, "check")).toEqual({ passes: false, problem: "the retry test times out" })
      expect(structuredOf(checked, "check")).toEqual({ passes: true })
    },
  },

  "Five attempts, keep the one that passes": {
    files: {
      "package.json": JSON.stringify({ scripts: { test: "grep fast lib/parse.js" } }),
      "lib/parse.js": "slow\n",
    },
    answer({ text }, tools) {
      const [, way = ""] = /twice as fast with (.+?)\./.exec(text) ?? []
      const content = way === "a scanner by hand" ? "fast\n" : `slow, with ${way}\n`
      return { type: "tool", calls: [tools.write("lib/parse.js", content)] }
    },
    expected([started, applied, said, discarded], project) {
      expect(statesOf(started)).toEqual({
        try: "done",
        "try.1": "failed",
        "try.2": "failed",
        "try.3": "done",
        "try.4": "failed",
        "try.5": "failed",
      })
      const attempts = (started ? jobsOf(started) : []).filter(({ id }) => id !== "try")
      expect(attempts.map(({ check }) => check?.rounds)).toEqual([1, 1, 1, 1, 1])
      expect(applied?.output).toContain("Applied try.3: 1 file, not committed: lib/parse.js.")
      expect(said?.output).toContain("Nothing was discarded yet.")
      expect(said?.output.match(/^try\.\d/gm)).toEqual(["try.1", "try.2", "try.4", "try.5"])
      expect(discarded?.output.match(/^Discarded try\.\d/gm)).toHaveLength(5)
      expect(attempts.filter(({ worktree }) => existsSync(worktree?.directory ?? ""))).toEqual([])
      expect(readFileSync(join(project, "lib/parse.js"), "utf8")).toBe("fast\n")
    },
  },

  "Research with structured results": {
    answer({ text }) {
      const [, name = ""] = /Find out about (\S+):/.exec(text) ?? []
      if (!text.includes("Make a Markdown table"))
        return JSON.stringify({ name, licence: "MIT", release: "1.0", runsTypeScript: true })
      return `a table of ${["vitest", "jest", "node:test"].filter((each) => text.includes(`"name":"${each}"`)).join(", ")}`
    },
    expected([started]) {
      expect(structuredOf(started, "facts.3")).toMatchObject({ name: "node:test", runsTypeScript: true })
      expect(started?.output).toContain("a table of vitest, jest, node:test")
    },
  },
}

/** A failure that opencode does not try again. */
const refused: Reply = { type: "error", status: 400, body: { error: { message: "not today" } } }

describeBoth("The recipes, as they stand in docs/recipes.md", ({ open, tools }) => {
  let model: ScriptedModel
  let oc: AnyProject

  beforeAll(async () => {
    model = await startScriptedModel()
    oc = await open({ model, plugin: { options: {} } })
  })

  afterAll(async () => {
    await oc?.stop()
    await model.stop()
  })

  test.each([...recipes])("%s", async (heading, calls) => {
    const scenario = scenarios[heading]
    if (!scenario) throw new Error(`No test says what comes of the recipe "${heading}"`)
    for (const [name, content] of Object.entries(scenario.files ?? {})) {
      mkdirSync(dirname(join(oc.project, name)), { recursive: true })
      writeFileSync(join(oc.project, name), content)
    }
    const owner = await oc.session()
    const forget = model.on(
      ({ session, messages }) => session !== owner && messages.at(-1)?.role === "user",
      (request) => {
        const answer = scenario.answer(request, tools)
        return typeof answer === "string" ? { type: "text", text: answer } : answer
      },
    )
    const outcomes: ToolOutcome[] = []
    for (const { tool, args } of calls) outcomes.push(await oc.callTool(owner, tool, args))
    forget()
    scenario.expected(outcomes, oc.project)
  })
})

const statesOf = (outcome: ToolOutcome | undefined) =>
  Object.fromEntries((outcome ? jobsOf(outcome) : []).map(({ id, state }) => [id, state]))

const structuredOf = (outcome: ToolOutcome | undefined, job: string) =>
  (outcome ? jobsOf(outcome) : []).find(({ id }) => id === job)?.structured
