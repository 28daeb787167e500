import { describe, expect, it } from "vitest"
import { type JobError, type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import type { ShownMessage, ShownPart } from "../../../src/shown/conversation.ts"
import type { PermissionRequest } from "../../../src/shown/requests.ts"
import {
  context,
  cutConnections,
  expectProblems,
  inspector,
  mendConnections,
  open,
  opened,
  page,
  row,
  scripted,
  start,
} from "../support/page-stage.ts"
import { expectReadable } from "../support/readable.ts"
import {
  jobInput,
  OWNER,
  said,
  scriptedTroupe,
  sessionOf,
  withProtocols,
} from "../support/scripted-troupe.ts"

describe("live", () => {
  it("shows a job's states without a reload", async () => {
    await open("view=jobs")
    await opened("j1")
    await row("j1").getByText("working").waitFor()
    scripted.troupe.tell(
      { owner: OWNER, id: "j1" },
      { type: "child.asked", ask: { id: "a", kind: "permission", text: "bash: ls" }, at: Date.now() },
    )
    await row("j1").getByText("permission", { exact: true }).waitFor()
    await page.waitForFunction(() => document.title === "(1) Jobs · opencode-troupe")
    await page.getByRole("list", { name: "States" }).getByRole("link", { name: "waits for you 1" }).waitFor()
    scripted.troupe.tell({ owner: OWNER, id: "j1" }, { type: "child.answered", ask: "a", at: Date.now() })
    await row("j1").getByText("working").waitFor()
    await scripted.answer("j1")
    await row("j1").getByText("done").waitFor()
    expect(await page.title()).toBe("Jobs · opencode-troupe")
  })

  it("shows first who needs somebody, and that nobody does whatever has failed", async () => {
    scripted.start("j0")
    await scripted.answer("j0", { text: "\n## The **first** line.\nThe second." })
    scripted.start("broken")
    await scripted.answer("broken", { error: { kind: "provider", message: "quota used up" } })
    await opened("j1")
    await open()
    await page.getByRole("link", { name: /^1 failed$/ }).waitFor()
    await page.getByText("✓ Nothing is waiting for you.", { exact: true }).waitFor()
    await page.locator(".card", { hasText: "j0" }).getByText("The first line.").waitFor()
    const ask = { id: "a", kind: "question", text: "Which format?" } as const
    scripted.troupe.tell({ owner: OWNER, id: "j1" }, { type: "child.asked", ask, at: Date.now() })
    await page.getByRole("region", { name: "Waiting for you" }).getByText("question: Which format?").waitFor()
    // One that may look stuck waits for nobody, and is not counted among those that do.
    await opened("j2")
    const retry = { attempt: 3, reason: "busy", next: Date.now() + 9_000 }
    scripted.troupe.tell({ owner: OWNER, id: "j2" }, { type: "child.retrying", retry, at: Date.now() })
    await page
      .getByRole("region", { name: "Slow or retrying" })
      .getByText("3 attempts failed: busy")
      .waitFor()
    expect(await page.title()).toBe("(1) opencode-troupe")
    // Of one that waits counts how long it has waited, not how old it is.
    const now = Date.now()
    const times = { createdAt: now - 7_200_000, startedAt: now - 7_200_000, waitingSince: now - 180_000 }
    const waiting = { state: "prompting", phase: "question", usage: NO_USAGE } as const
    scripted.troupe.adopt({ ...jobInput("old"), session: "ses_old", ...times, ...waiting, asks: [ask] })
    const card = page.locator(".card", { hasText: "work of old" })
    await card.getByText(/^waiting 3 m \d\d s$/).waitFor()
    await page.keyboard.press("2")
    await expect.poll(() => row("old").locator(".at-time").textContent()).toMatch(/^! waiting 3 m \d\d s$/)
    await page.keyboard.press("1")
    await page.locator(".card", { hasText: "3 attempts failed" }).locator(".badge").click({ force: true })
    await page.getByRole("heading", { name: /work of j2/ }).waitFor()
  })

  it("lights the state and marks the step that led to it", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.locator(".chart .here", { hasText: "working" }).waitFor()
    await page.locator(".edge text.taken", { hasText: "openSession done" }).waitFor()
    await scripted.answer("j1")
    await page.locator(".chart .here", { hasText: "done" }).waitFor()
    await page.locator(".edge text.taken", { hasText: "promptChild done" }).waitFor()
    await page.locator(".history").getByText("the child gave its final answer").waitFor()
    // The whole way is drawn, and each of its steps when it is chosen.
    const walked = page.locator(".edge.walked")
    await expect.poll(() => walked.count()).toBeGreaterThan(2)
    await page.locator(".chart .visited", { hasText: "working" }).waitFor()
    const step = page.locator(".history button").last()
    const legend = page.locator(".chart-legend")
    for (const words of ["now", "has been there", "the way it took", "its last step"])
      await legend.getByText(words, { exact: true }).waitFor()
    await step.click()
    await legend.getByText("the step that was chosen", { exact: true }).waitFor()
    await page.locator(".chart .chosen", { hasText: "opening" }).waitFor()
    await page.locator(".chart .here", { hasText: "done" }).waitFor()
    expect(await page.locator(".edge text.taken", { hasText: "promptChild done" }).count()).toBe(0)
    await step.click()
    await page.locator(".turn", { hasText: "the answer" }).waitFor()
  })

  it("marks the way to a retry, and each further attempt", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    const retrying = (attempt: number) =>
      scripted.troupe.tell(
        { owner: OWNER, id: "j1" },
        {
          type: "child.retrying",
          retry: { attempt, reason: "busy", next: Date.now() + 9_000 },
          at: Date.now(),
        },
      )
    retrying(1)
    await page.locator(".edge.taken text.taken", { hasText: "child.retrying" }).waitFor()
    retrying(2)
    await page.locator(".chart .here .inside.taken", { hasText: "child.retrying" }).waitFor()
    await page.getByText("opencode retries by itself.").waitFor({ state: "detached" })
    retrying(3)
    await page.getByText("opencode retries by itself.").waitFor()
  })

  it("says of a job that is slow what can be done", async () => {
    const at = Date.now() - 700_000
    const slow = (more: Partial<JobRecord>) =>
      scripted.troupe.adopt({
        ...jobInput("slow"),
        ...{ session: "ses_slow", state: "prompting", phase: "working", usage: NO_USAGE },
        ...{ createdAt: at, startedAt: at, ...more },
      })
    slow({ activity: { at: Date.now() - 150_000, text: "I look." } })
    await open("job=ses_slow")
    const reason = page.locator(".reason")
    await reason.getByText(/^no activity for 2 m \d\d s$/).waitFor()
    await reason.getByText("The model has written nothing since. Wait, send the job a message,").waitFor()
    slow({ activity: { at, tool: "bash: npm test" } })
    await reason.getByText(/^running bash: npm test for 1[12] m \d\d s$/).waitFor()
    await reason.getByText("The tool may be hanging").waitFor()
  })

  it("shows what it has loaded of a job that changes faster than it loads, and then how it is", async () => {
    await opened("j1")
    const held: (() => void)[] = []
    let isHeld = true
    await page.route(`**/api/jobs/${sessionOf("j1")}`, async (route) => {
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve))
      await route.continue()
    })
    await open(`job=${sessionOf("j1")}`)
    await expect.poll(() => held.length).toBe(1)
    const ask = { id: "a", kind: "permission", text: "bash: ls" } as const
    scripted.troupe.tell({ owner: OWNER, id: "j1" }, { type: "child.asked", ask, at: Date.now() })
    await page.waitForFunction(() => document.title === "(1) j1: work of j1 · opencode-troupe")
    expect(held).toHaveLength(1)
    held[0]?.()
    await page.getByRole("heading", { name: "j1 work of j1" }).waitFor()
    isHeld = false
    await scripted.answer("j1")
    for (const letGo of held) letGo()
    await page.locator(".title .badge", { hasText: "done" }).waitFor()
  })

  it("says in its own words that opencode does not answer", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.getByRole("heading", { name: /work of j1/ }).waitFor()
    await page.route("**/api/jobs/**", (route) => route.abort())
    const retry = { attempt: 1, reason: "busy", next: Date.now() + 9_000 }
    scripted.troupe.tell({ owner: OWNER, id: "j1" }, { type: "child.retrying", retry, at: Date.now() })
    await page.getByRole("alert").getByText("This may be out of date. opencode does not answer.").waitFor()
    await page
      .getByRole("region", { name: "Conversation" })
      .getByRole("status")
      .getByText("opencode does not answer.")
      .waitFor()
    expect(await page.getByText("Failed to fetch").count()).toBe(0)
    expectProblems(/ERR_|Failed to load/)
  })

  it("comes back after the connection was lost", async () => {
    await opened("j1")
    await open("view=jobs")
    await cutConnections((route) => void route.abort())
    await page.locator(".connection.is-reconnecting").waitFor()
    await opened("j2")
    await mendConnections()
    await page.locator(".connection.is-live").waitFor()
    await row("j2").getByText("working").waitFor()
    expectProblems(/ERR_|Failed to load/)
  })

  it("shows what a job of an earlier process wrote, or why that is not there", async () => {
    const ended = { session: "ses_old", createdAt: 1_000, endedAt: 2_000, usage: NO_USAGE }
    scripted.troupe.adopt({ ...jobInput("old"), ...ended, state: "failed" })
    await open("job=ses_old")
    await page.getByText("Its text could not be read: opencode is busy.").waitFor()
    await page.getByText("opencode has been restarted since this job ran").waitFor()
    expect(await page.getByText("It wrote nothing").count()).toBe(0)
    scripted.kept.set("old", { kind: "lost", why: "its session was deleted" })
    await page.reload()
    await page.getByText("Its text is lost: its session was deleted.").waitFor()
    scripted.kept.set("old", { kind: "text", text: "the old answer" })
    await page.reload()
    await page.locator(".by-assistant", { hasText: "the old answer" }).waitFor()
    await page.locator(".by-user", { hasText: "do it" }).waitFor()
    expectProblems(/503|404/)
  })

  it("says in people's words how a job ended, and when", async () => {
    const ended = { createdAt: 1_000, startedAt: 1_000, endedAt: 5_000, usage: NO_USAGE }
    const end = (id: string, state: "failed" | "timedOut", error: JobError) =>
      scripted.troupe.adopt({ ...jobInput(id), ...ended, session: `ses_${id}`, state, error })
    end("late", "timedOut", { kind: "total", message: "not done within 4 s" })
    const continued = "opencode ended while it ran. agents_send continues it."
    end("cut", "failed", { kind: "interrupted", message: continued })
    const asked = said("m1", "user", { type: "text", id: "p1", text: "do it" })
    const answer = said("m2", "assistant", { type: "text", id: "p2", text: "I beg" })
    const messages = [asked, { ...answer, at: Date.now(), error: "Aborted" }]
    scripted.conversations.set("late", { kind: "messages", messages })
    await open("view=jobs")
    await row("cut").getByText("opencode ended while it ran. A follow-up continues it.").waitFor()
    await row("cut").getByRole("link").click()
    await page.locator(".reason", { hasText: "A follow-up continues it." }).waitFor()
    await page.keyboard.press("Escape")
    await row("late").getByRole("link").click()
    const reason = page.locator(".reason", { hasText: "not done within 4 s" })
    await reason.getByText("raise the task's timeout or the option timeoutSeconds.").waitFor()
    expect(await reason.textContent()).not.toContain("`")
    expect(await page.locator(".title .badge").textContent()).toBe("◷timed out")
    expect(await page.getByText("agents_send").count()).toBe(0)
    await page.locator(".said .quiet", { hasText: "It was stopped here." }).waitFor()
    expect(await page.getByText("Aborted").count()).toBe(0)
    // Of another day, the time has its date.
    expect(await page.locator(".turn time").allInnerTexts()).toEqual([
      expect.stringMatching(/^\s*\d+ (Jan|Dec) \d\d:\d\d:01$/),
      expect.stringMatching(/^\s*\d\d:\d\d:\d\d$/),
    ])
    expectProblems(/503/)
  })

  it("shows the actors that are alive, with their states", async () => {
    await opened("j1")
    const remove = inspector.add(withProtocols(scripted.source))
    await open("view=actors")
    for (const line of [
      "process opencode 2 projects",
      "system /projects/demo 1 of 4 slots busy",
      "supervisor ses_owner 1 prompting",
      "delivery backoff 2 results",
      "writer j1 writing",
      "job j1 prompting, working",
      "turn asking.waiting",
    ])
      await expect.poll(() => actorLines()).toContain(line)
    await page.getByText("puts results into its owner's conversation").waitFor()
    await page.locator(".actor.is-writer").getByRole("link", { name: "j1" }).click()
    await page.getByRole("heading", { name: /work of j1/ }).waitFor()
    remove()
  })

  /** What a screen reader reads, an actor a line. */
  async function actorLines(): Promise<string[]> {
    const actors = await page.locator(".actor").allInnerTexts()
    return actors.map((text) => text.replace(/[▶\s]+/g, " ").trim())
  }

  it("shows all projects of the process, and their timeline", async () => {
    const other = scriptedTroupe({ name: "/projects/other" })
    await opened("j1")
    other.start("o1", { owner: "ses_other" })
    await other.until("o1", "prompting.working")
    const remove = inspector.add(other.source)
    await open("view=timeline")
    await page.getByRole("link", { name: /^o1: prompting/ }).waitFor()
    await page.getByText("At most 2 of 12 slots in use").first().waitFor()
    // None of them can use the slots of another.
    await open("")
    const slots = page.locator(".facts div", { hasText: "slots in use in /projects/other" })
    await slots.getByText("1 of 8", { exact: true }).waitFor()
    await open("view=timeline")
    remove()
    await page.getByRole("link", { name: /^o1: prompting/ }).waitFor({ state: "detached" })
    other.stop()
  })
})

describe("the work", () => {
  const asked = said("m1", "user", { type: "text", id: "p1", text: "Find the *bug*." })
  const look: ShownPart = {
    type: "tool",
    tool: "read",
    title: "src/retry.ts",
    status: "running",
    input: [{ name: "filePath", text: "/projects/demo/src/retry.ts" }],
  }
  const boxOf = async (name: string) => {
    const box = await page.getByRole("region", { name, exact: true }).boundingBox()
    return box ?? { x: 0, y: 0, width: 0, height: 0 }
  }

  it("comes first: what was asked, and what is done and said about it while it goes on", async () => {
    await opened("j1")
    const tell = (...messages: ShownMessage[]) =>
      scripted.conversations.set("j1", { kind: "messages", messages: [asked, ...messages] })
    const long = Array.from({ length: 60 }, (_, index) => `Line ${index}.`).join("\n\n")
    tell(said("m2", "assistant", { type: "text", id: "p2", text: long }))
    await open("view=jobs")
    const read: string[] = []
    page.on("request", (request) => {
      if (request.url().includes("/messages")) read.push(request.url())
    })
    await row("j1").getByText("working").waitFor()
    // It is read when somebody looks at it.
    expect(read).toEqual([])
    await row("j1").getByRole("link").click()
    const work = page.getByRole("region", { name: "Conversation" })
    await work.getByText("Line 59.").waitFor()
    expect(read).not.toEqual([])
    const [conversation, details, chart, history] = await Promise.all(
      ["Conversation", "Details", "State", "History"].map(boxOf),
    )
    expect(details?.y).toBe(conversation?.y)
    expect(details?.x).toBeGreaterThan((conversation?.x ?? 0) + (conversation?.width ?? 0))
    expect(chart?.y).toBeGreaterThan((conversation?.y ?? 0) + (conversation?.height ?? 0))
    expect(history?.y).toBeGreaterThan((chart?.y ?? 0) + (chart?.height ?? 0))
    // Its end is in the window.
    const isInSight = async () => {
      const { y = 0, height = 0 } = (await work.getByText("at work").boundingBox()) ?? {}
      return y + height <= (page.viewportSize()?.height ?? 0)
    }
    await expect.poll(isInSight).toBe(true)
    tell(said("m2", "assistant", { type: "reasoning", id: "p2", text: "I wonder." }, look))
    await page.reload()
    await work.locator(".by-user em", { hasText: "bug" }).waitFor()
    expect(await work.getByText("I wonder.").count()).toBe(0)
    await work.locator("summary", { hasText: "Reasoning" }).click()
    await work.getByText("I wonder.").waitFor()
    await work.locator(".call.is-running summary", { hasText: "read src/retry.ts running" }).waitFor()
    const done: ShownPart = { ...look, status: "completed", output: "a line of it" }
    const found =
      "# Found\n\n| file | line |\n|---|---|\n| `a.ts` | 12 |\n\n- one\n- two\n\n```diff\n-a\n```\n\n[docs](https://a.test/x)"
    tell(
      said("m2", "assistant", { type: "reasoning", id: "p2", text: "I wonder." }, done),
      said("m3", "assistant", { type: "text", id: "p3", text: found }),
    )
    await work.getByRole("heading", { name: "Found" }).waitFor()
    await work.getByRole("cell", { name: "a.ts" }).waitFor()
    expect(await work.getByRole("listitem").allInnerTexts()).toEqual(["one", "two"])
    expect(await work.locator(".markdown pre").textContent()).toBe("diff\n-a")
    // Foreign links are words.
    expect([await work.getByRole("link").count(), await work.locator(".link").textContent()]).toEqual([
      0,
      "docs https://a.test/x",
    ])
    // What was open stays so.
    await work.getByText("I wonder.").waitFor()
    const output = work.getByText("a line of it")
    expect(await output.count()).toBe(0)
    await work.locator(".call.is-completed summary", { hasText: "completed" }).click()
    await output.waitFor()
    await work.getByText("/projects/demo/src/retry.ts").waitFor()
  })

  it("is not taken for nothing while it cannot be read", async () => {
    await opened("j1")
    scripted.conversations.set("j1", { kind: "unreadable", why: "opencode is busy" })
    const loads: string[] = []
    page.on("request", (request) => {
      if (request.url().endsWith(`/api/jobs/${sessionOf("j1")}`)) loads.push(request.url())
    })
    await open(`job=${sessionOf("j1")}`)
    await page.getByText("Its conversation could not be read: opencode is busy.").waitFor()
    scripted.conversations.set("j1", { kind: "messages", messages: [asked] })
    await page.locator(".by-user", { hasText: "Find the bug." }).waitFor()
    await expect.poll(() => page.getByText("could not be read").count()).toBe(0)
    // The job itself has not changed meanwhile.
    expect(loads).toHaveLength(1)
    expectProblems(/503/)
  })
})

it("shows which files the child has changed, and how", async () => {
  await opened("j1")
  const diff = "--- /dev/null\n+++ src/a.ts\n@@ -1,2 +1,2 @@\n a\n-b\n+c\u202e"
  const file = { path: "src/a.ts", additions: 1, deletions: 1, diff }
  const other = { path: "src/b.ts", isMeanwhile: true as const }
  scripted.files.set("j1", { kind: "files", files: [file, other], why: "What bash changed is not known." })
  await open(`job=${sessionOf("j1")}`)
  const files = page.getByRole("region", { name: "Files" })
  await files.getByText("What bash changed is not known.").waitFor()
  await files.locator("summary", { hasText: "src/a.ts +1 −1" }).click()
  await files.locator(".diff .added", { hasText: "+c\\u{202e}" }).waitFor()
  expect(await files.locator(".diff").locator(".added, .deleted").count()).toBe(2)
  const meanwhile = files.getByRole("region", { name: "Changed while it ran" })
  expect(await meanwhile.locator(".file").allTextContents()).toEqual([
    expect.stringMatching(/^src\/b\.ts\s*$/),
  ])
  await expectReadable("files")
})

describe("a job in a worktree of its own, with a check", () => {
  const worktree = {
    directory: "/data/worktrees/7f/j9",
    branch: "troupe/1f/j9",
    base: `aaaaaaaaaa${"0".repeat(30)}`,
  }
  const sealed = {
    ...worktree,
    commit: `bbbbbbbbbb${"0".repeat(30)}`,
    files: 3,
    insertions: 10,
    deletions: 2,
    overlaps: [{ job: "b", files: ["x\u202e.txt"] }],
  }
  const check = { command: "npm test", rounds: 1, exitCode: 1, output: "1 failed\u202e" }
  const times = { createdAt: Date.now(), startedAt: Date.now() }
  const adopt = (fields: Partial<JobRecord>) =>
    scripted.troupe.adopt({
      ...jobInput("j9"),
      ...times,
      session: "ses_j9",
      state: "prompting",
      usage: NO_USAGE,
      check,
      ...fields,
    })

  it("shows that it is being checked, with which command and for which time", async () => {
    adopt({ phase: "checking", worktree })
    await open("view=jobs")
    await row("j9").getByText("checking: npm test, round 2").waitFor()
    await row("j9").locator(".badge.in-checking", { hasText: "≟" }).waitFor()
    await row("j9").getByRole("link").click()
    await page.locator(".title .badge", { hasText: "checking" }).waitFor()
    const details = page.getByRole("region", { name: "Details" })
    await details.getByText("aaaaaaaaaa → not committed yet").waitFor()
    await page.getByRole("region", { name: "Check" }).getByRole("status").getByText("round 2").waitFor()
  })

  it("shows where its work is and what it overlaps with, and how its check went", async () => {
    const error = { kind: "check", message: "npm test exited with 1" } as const
    scripted.conversations.set("j9", { kind: "messages", messages: [] })
    adopt({ state: "failed", endedAt: Date.now(), error, worktree: sealed })
    await open("job=ses_j9")
    const details = page.getByRole("region", { name: "Details" })
    for (const words of [
      worktree.branch,
      worktree.directory,
      "aaaaaaaaaa → bbbbbbbbbb",
      "3 files, +10 −2",
      "also changed by b: x.txt",
    ])
      await details.getByText(words, { exact: true }).waitFor()
    const shown = page.getByRole("region", { name: "Check" })
    await shown.getByText("npm test exited with 1 in round 1").waitFor()
    expect(await shown.getByText("1 failed").count()).toBe(0)
    await shown.locator("summary", { hasText: "The end of what it wrote" }).click()
    await shown.getByText("1 failed\\u{202e}").waitFor()
    await expectReadable("check")
  })
})

describe("what a job asks", () => {
  const command = `rm -rf dist\n${"echo\n".repeat(40)}npm run build\u202e`
  const permission = (id: string): PermissionRequest => ({
    id,
    session: sessionOf("j1"),
    kind: "permission",
    action: "bash",
    parts: [{ title: "command", text: command }],
    always: ["npm run *"],
  })
  const working = () => page.locator(".title .badge", { hasText: "working" }).waitFor()

  it("is shown in full, and answered where it is shown", async () => {
    await opened("j1")
    const call = { type: "tool", status: "running" } as const
    const calls: ShownPart[] = [
      { ...call, tool: "bash", input: [{ name: "command", text: command }] },
      { ...call, tool: "read", input: [{ name: "filePath", text: "a.ts" }] },
    ]
    scripted.conversations.set("j1", { kind: "messages", messages: [said("m1", "assistant", ...calls)] })
    await scripted.ask("j1", permission("a1"))
    await open(`job=${sessionOf("j1")}`)
    const request = page.getByRole("region", { name: "Permission request" })
    await request.getByText("npm run build\\u{202e}").waitFor()
    // Where scroll bars are not seen, nobody would look for the rest of it.
    const foreign = request.locator(".foreign")
    expect(await foreign.evaluate((box) => box.scrollHeight - box.clientHeight)).toBe(0)
    await page.locator(".call summary", { hasText: "bash waiting for you" }).waitFor()
    await page.locator(".call summary", { hasText: "read running" }).waitFor()
    await request.getByText(`opencode --session ${sessionOf("j1")}`).waitFor()
    await request.getByRole("button", { name: "Allow once" }).click()
    await working()
    await page.locator(".call summary", { hasText: "bash running" }).waitFor()
    await scripted.ask("j1", permission("a2"))
    await request.getByText("npm run *").waitFor()
    await request.getByRole("button", { name: "Always allow" }).click()
    await working()
    await scripted.ask("j1", permission("a3"))
    await request.getByRole("button", { name: "Deny…" }).click()
    await page.keyboard.type("no")
    await page.keyboard.press("Escape")
    await request.getByLabel("What the child is told").waitFor({ state: "detached" })
    await page.keyboard.press("Enter")
    await page.keyboard.type("not that folder")
    await request.getByRole("button", { name: "Deny", exact: true }).click()
    await working()
    const size = { key: "constructor", title: "Size", text: "How big?", isMultiple: false, takesText: false }
    const colour = { key: "c", title: "", text: "Which colours?", isMultiple: true, takesText: true }
    const choices = ["small", "large"].map((value) => ({ value, label: value }))
    const questions = [
      { ...size, choices },
      { ...colour, choices: [{ value: "red", label: "Red", description: "as a rose" }] },
    ]
    await scripted.ask("j1", { id: "q1", session: sessionOf("j1"), kind: "question", questions })
    const form = page.getByRole("region", { name: "Question" })
    await form.getByLabel("large").check()
    const send = form.getByRole("button", { name: "Answer" })
    expect(await send.getAttribute("aria-disabled")).toBe("true")
    await form.getByLabel("Red as a rose").check()
    await form.getByLabel("Another answer").fill("blue")
    await expectReadable("a question")
    await send.click()
    await working()
    expect(scripted.answers.map(({ request, answer }) => [request.id, answer])).toEqual([
      ["a1", { kind: "decision", decision: "once" }],
      ["a2", { kind: "decision", decision: "always" }],
      ["a3", { kind: "decision", decision: "reject", message: "not that folder" }],
      ["q1", { kind: "answers", answers: { constructor: ["large"], c: ["red", "blue"] } }],
    ])
  })

  it("may have been answered meanwhile, or not here at all: that is said", async () => {
    await opened("j1")
    await scripted.ask("j1", permission("a1"))
    // A click that comes with the request, which nobody can have read, answers nothing.
    await page.addInitScript(() => {
      const watch = new MutationObserver(() => {
        const button = document.querySelector<HTMLElement>(".request .primary")
        if (!button) return
        watch.disconnect()
        button.click()
      })
      watch.observe(document, { childList: true, subtree: true })
    })
    await open(`job=${sessionOf("j1")}`)
    const request = page.getByRole("region", { name: "Permission request" })
    const allow = request.getByRole("button", { name: "Allow once" })
    await expect.poll(() => allow.getAttribute("aria-disabled")).toBe("false")
    expect(scripted.answers).toEqual([])
    scripted.forget("a1")
    let goOn = () => {}
    const held = new Promise<void>((resolve) => {
      goOn = resolve
    })
    await page.route("**/answer", async (route) => {
      await held
      await route.continue()
    })
    await allow.click()
    await request.getByText("Answering …").waitFor()
    expect(await allow.getAttribute("aria-disabled")).toBe("true")
    goOn()
    await request.getByText("This is no longer asked").waitFor()
    await request.getByText(/^Answer it in a terminal/).waitFor()
    await expect.poll(() => allow.getAttribute("aria-disabled")).toBe("false")
    expectProblems(/409|ERR_/)
    await inspector.stop()
    await scripted.ask("j1", permission("a1"))
    await start({ readOnly: true })
    await open(`job=${sessionOf("j1")}`)
    await request.getByText("It cannot be answered here: the inspector is read-only").waitFor()
    expect(await allow.getAttribute("aria-disabled")).toBe("true")
    await allow.dispatchEvent("click")
    expect(scripted.answers).toEqual([])
  })
})

describe("steering", () => {
  it("cancels a job after a confirmation, and an ended one not again", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.getByRole("button", { name: "Cancel…" }).click()
    await page.getByLabel("Reason").fill("seen enough")
    await page.getByRole("button", { name: "Cancel the job" }).click()
    await scripted.until("j1", "cancelled")
    await page.locator(".reason", { hasText: "cancelled in the inspector: seen enough" }).waitFor()
    await page.getByRole("button", { name: "Cancel…" }).waitFor({ state: "detached" })
    expect(await page.getByText("has already ended").count()).toBe(0)
  })

  it("sends a message, which stands in the conversation until the child has it, and a follow-up", async () => {
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    const send = async (name: string, message: string) => {
      await page.getByRole("button", { name }).click()
      await page.getByRole("dialog").getByLabel("Message").fill(message)
      await page.getByRole("button", { name: "Send", exact: true }).click()
      await page.locator("dialog").waitFor({ state: "detached" })
    }
    const unread = page.getByRole("article").filter({ hasText: "Sent, not yet read by the child" })
    await page.locator(".by-user", { hasText: "do it" }).waitFor()
    await send("Send message…", "and the tests?")
    await unread.getByText("and the tests?").waitFor()
    const text = (id: string, words: string) => said(id, "user", { type: "text", id, text: words })
    const messages = [text("m1", "do it"), text("m2", "and the tests?")]
    scripted.conversations.set("j1", { kind: "messages", messages })
    await scripted.answer("j1")
    await unread.waitFor({ state: "detached" })
    await page.locator(".by-user", { hasText: "and the tests?" }).waitFor()
    await send("Follow-up…", "and the tests?")
    await unread.waitFor()
    expect(scripted.sent.map(({ id, message }) => `${id} ${message}`)).toEqual(
      Array(2).fill("j1 and the tests?"),
    )
  })

  it("is not possible when it only shows, and says so", async () => {
    await opened("j1")
    await inspector.stop()
    await start({ readOnly: true })
    await open(`job=${sessionOf("j1")}`)
    await expect.poll(() => page.getByText("the inspector is read-only").count()).toBe(2)
  })

  it("copies the job as JSON", async () => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"])
    await opened("j1")
    await open(`job=${sessionOf("j1")}`)
    await page.getByRole("button", { name: "Copy JSON" }).click()
    await page.getByRole("button", { name: "Copied" }).waitFor()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    expect(JSON.parse(copied)).toMatchObject({ id: "j1", history: expect.any(Array) })
  })
})
