import { beforeEach, describe, expect, it } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { Budgets } from "../../../src/plugin/owners/budgets.ts"
import { context, inspector, open, page, row, scripted, start } from "../support/page-stage.ts"
import { expectReadable } from "../support/readable.ts"
import { jobInput, OWNER, said, sessionOf } from "../support/scripted-troupe.ts"

/** A job of an earlier process. */
const adopt = (id: string, more: Partial<JobRecord>) =>
  scripted.troupe.adopt({
    ...{ ...jobInput(id), session: sessionOf(id), state: "done", text: "the answer", usage: NO_USAGE },
    ...{ createdAt: Date.now() - 60_000, ...more },
  })

const needs = (...ids: string[]) => ids.map((id) => ({ id, on: "done" as const }))
const waitsFor = (id: string) => row(id).locator(".waits-for")

describe("jobs that need others", () => {
  beforeEach(async () => {
    for (const id of ["auth", "db"]) scripted.start(id)
    scripted.start("api", { needs: needs("auth", "db") })
    scripted.start("docs", { needs: [{ id: "api", on: "ended" }] })
    await scripted.until("docs", "created.blocked")
    await scripted.until("db", "prompting.working")
  })

  it("say whom they wait for, where each name leads there, and who waits for them", async () => {
    await open("view=jobs")
    await expect.poll(() => waitsFor("api").textContent()).toBe("waits for auth, db")
    await page.getByRole("list", { name: "States" }).getByRole("link", { name: "blocked 2" }).click()
    await row("auth").waitFor({ state: "detached" })
    expect(new URL(page.url()).searchParams.get("q")).toBe("phase:blocked")
    await expectReadable("blocked jobs in the list")
    await scripted.answer("auth")
    await expect.poll(() => waitsFor("api").textContent()).toBe("waits for db")
    await row("api").getByRole("link", { name: "db", exact: true }).click()
    await page.getByRole("heading", { name: "db work of db" }).waitFor()
    const panel = page.getByRole("region", { name: "Needs", exact: true })
    const dependents = panel.getByRole("region", { name: "Needed by" })
    await dependents.getByText("blocked", { exact: true }).waitFor()
    await dependents.getByRole("link", { name: /^api/ }).click()
    await page.getByRole("heading", { name: "api work of api" }).waitFor()
    const needed = panel.getByRole("region", { name: "It needs" }).getByRole("listitem")
    await expect
      .poll(() => needed.evaluateAll((items) => items.map(({ textContent }) => textContent)))
      .toEqual(["✓doneauth work of auththe answer", expect.stringContaining("workingdb work of db")])
    await page.locator(".reason").getByText("waits for db", { exact: true }).waitFor()
    await page.locator(".chart .here", { hasText: "blocked" }).waitFor()
    await expectReadable("a blocked job")
    await page.keyboard.press("1")
    const card = page.locator(".card", { hasText: "work of api" })
    await card.getByRole("link", { name: "db", exact: true }).waitFor()
    await page.getByRole("link", { name: "2 for other jobs" }).waitFor()
    await expectReadable("blocked jobs in the overview")
    await scripted.answer("db")
    await card.getByText("working").waitFor()
  })

  it("lead from what failed for want of another to the one that broke, and to the cause", async () => {
    const broken = { kind: "dependency", message: "it needs docs, which failed: it needs api" } as const
    await scripted.answer("auth", { error: { kind: "provider", message: "quota used up" } })
    await scripted.until("api", "failed")
    adopt("site", { state: "failed", endedAt: Date.now(), needs: needs("api"), error: broken })
    await open(`job=${sessionOf("site")}`)
    const reason = page.locator(".reason")
    await expect
      .poll(() => reason.locator("p").first().textContent())
      .toBe("The need that broke: api ✕failed, because of auth ✕failed")
    await expectReadable("a job whose need broke")
    await reason.getByRole("link", { name: "auth" }).click()
    await page.getByText("quota used up", { exact: true }).waitFor()
    await page.goto(`${inspector.url}/?view=jobs&q=error:dependency needs:api`)
    await row("site").waitFor()
    expect(await row("api").count()).toBe(0)
  })

  it("have the time that they were blocked on the timeline, beside what they were queued", async () => {
    await scripted.answer("auth")
    await scripted.answer("db")
    await scripted.until("api", "prompting.working")
    const at = Date.now()
    adopt("first", { createdAt: at - 60_000, startedAt: at - 50_000, endedAt: at - 40_000 })
    adopt("second", {
      ...{ createdAt: at - 60_000, startedAt: at - 30_000, endedAt: at - 5_000 },
      needs: needs("first"),
    })
    await open("view=timeline")
    const kindsOf = (id: string) =>
      page
        .getByRole("link", { name: new RegExp(`^${id}: `) })
        .locator(".part")
        .evaluateAll((parts) => parts.map(({ className }) => className))
    await expect.poll(() => kindsOf("api")).toContain("part is-blocked")
    // Of an earlier process: by when its need had ended.
    expect(await kindsOf("second")).toEqual(["part is-blocked", "part is-queued", "part is-run"])
    await page
      .getByRole("link", { name: "second: done, blocked 20 s, waited 10 s, ran 25 s", exact: true })
      .waitFor()
    await page.locator(".legend", { hasText: "blocked" }).first().waitFor()
    await expectReadable("the timeline of blocked jobs")
    await page.goto(`${inspector.url}/?job=${sessionOf("second")}`)
    await page.locator(".waterfall li", { hasText: "blocked" }).getByText("20 s").waitFor()
  })
})

it("shows a group as one, by how many of its jobs there are still to end", async () => {
  const items = Array.from({ length: 12 }, (_, index) => `each.${index + 1}`)
  for (const [index, id] of items.entries())
    adopt(id, index < 5 ? { startedAt: 1, endedAt: 2 } : { state: "created", phase: "queued" })
  const at = Date.now()
  const group = {
    isGroup: true,
    needs: needs("list"),
    startedAt: at - 150_000,
    createdAt: at - 180_000,
  } as const
  adopt("each.13", { endedAt: 2 })
  adopt("each", { ...group, state: "prompting", phase: "working", formerItems: ["each.13"] })
  adopt("ended", { ...group, endedAt: at, text: "12 of 12 items are done." })
  await open()
  // It takes no slot, and is not slow because it says nothing.
  await page.getByText("0 of 4", { exact: true }).waitFor()
  expect(await page.getByRole("region", { name: "Slow or retrying" }).count()).toBe(0)
  scripted.start("real", { each: { from: "list", timeoutMs: 60_000, idleMs: 30_000 } })
  await page.keyboard.press("2")
  await row("real").getByText("· group").waitFor()
  await row("each").getByText("· group of 12").waitFor()
  await row("ended").getByText("12 of 12 items are done.").waitFor()
  await expect.poll(() => waitsFor("each").textContent()).toBe("waits for 7 of its 12 jobs")
  // In the order of their numbers, the latest first.
  const ids = page.locator(".window .name code")
  expect((await ids.allTextContents()).filter((id) => id.startsWith("each."))).toEqual([
    "each.13",
    ...items.toReversed(),
  ])
  // Groups are no jobs of their own, and one whose item the list no longer has is a job all the same.
  await page.getByRole("heading", { name: "Jobs 13", exact: true }).waitFor()
  await page.locator(".counts").getByText("13 jobs, 7 live", { exact: true }).waitFor()
  const states = page.getByRole("list", { name: "States" })
  for (const words of ["created 7", "prompting 0", "done 6", "queued 7"])
    await states.getByRole("link", { name: words, exact: true }).waitFor()
  await page.getByRole("link", { name: /^each work/ }).click()
  const panel = page.getByRole("region", { name: "Group", exact: true })
  await panel.getByText("It is a group: it stands for 12 jobs, one for each item").waitFor()
  const jobs = panel.getByRole("region", { name: "Its jobs, one for each item" })
  expect(await jobs.getByRole("listitem").count()).toBe(12)
  await page.getByText("It has none of its own: its jobs have theirs.").waitFor()
  await expectReadable("a group")
  await page.goto(`${inspector.url}/?job=${sessionOf("ended")}`)
  await page.getByRole("region", { name: "Conversation" }).getByText("12 of 12 items are done.").waitFor()
  await page.goto(`${inspector.url}/?view=timeline&span=all`)
  await page
    .getByRole("link", { name: "ended: done, stood for its jobs for 3 m 00 s", exact: true })
    .waitFor()
})

it("counts the jobs of a group, and not the group beside them, in what is done with all", async () => {
  const atWork = { state: "prompting", phase: "working" } as const
  adopt("live", { ...atWork, isGroup: true })
  for (const id of ["live.1", "live.2", "live.3"]) adopt(id, atWork)
  const failed = { endedAt: 2, state: "failed", error: { kind: "interrupted", message: "cut off" } } as const
  adopt("bad", { ...failed, isGroup: true })
  for (const id of ["bad.1", "bad.2"]) adopt(id, failed)
  await open("view=jobs")
  await page.getByRole("button", { name: "Cancel all…" }).click()
  await page.getByRole("heading", { name: "Cancel 3 jobs?" }).waitFor()
  await page.keyboard.press("Escape")
  await page.getByRole("button", { name: "Run 2 again…" }).click()
  await page.getByRole("heading", { name: "Run 2 jobs again?" }).waitFor()
})

it("says until when a provider is on hold, and counts down to it without asking", async () => {
  await open()
  const asked: string[] = []
  page.on("request", (request) => void asked.push(request.url()))
  const held = {
    state: "created",
    phase: "queued",
    model: "anthropic/x",
    holdUntil: Date.now() + 4_000,
  } as const
  for (const id of ["held", "other"]) adopt(id, held)
  adopt("free", { ...held, model: "openai/y", holdUntil: undefined })
  const panel = page.getByRole("region", { name: "On hold" })
  await panel.getByText(/^anthropic until .*\d\d:\d\d:\d\d \(\d s\): 2 jobs wait$/).waitFor()
  await panel.getByText(" (1 s): ").waitFor()
  await panel.waitFor({ state: "detached" })
  expect(asked).toEqual([])
  const again = { ...held, holdUntil: Date.now() + 95_000 }
  for (const id of ["held", "other"]) adopt(id, again)
  await expectReadable("a provider on hold")
  await panel.getByRole("link", { name: "2 jobs wait" }).click()
  await expect
    .poll(() => row("held").locator(".at-activity").textContent())
    .toMatch(/^queued: anthropic on hold until .*\d\d:\d\d:\d\d \(1 m \d\d s\)$/)
  await row("other").waitFor()
  expect(await row("free").count()).toBe(0)
})

it("tells those that are queued, on hold and blocked apart, and finds those of each by a chip", async () => {
  const waiting = { state: "created", phase: "queued", model: "anthropic/x" } as const
  for (const id of ["held", "later"]) adopt(id, { ...waiting, holdUntil: Date.now() + 600_000 })
  for (const id of ["line", "row", "queue"]) adopt(id, waiting)
  adopt("needy", { ...waiting, phase: "blocked", needs: needs("line"), agent: "explore" })
  await open("view=jobs&list=flat")
  const chips = page.getByRole("list", { name: "States" })
  const chip = (words: string) => chips.getByRole("link", { name: words, exact: true })
  const ids = () => page.locator(".window .name code").allTextContents()
  await chip("queued 3").click()
  await expect.poll(async () => (await ids()).toSorted()).toEqual(["line", "queue", "row"])
  expect(new URL(page.url()).searchParams.get("q")).toBe("phase:queued")
  await chip("on hold 2").click()
  await expect.poll(async () => (await ids()).length).toBe(5)
  expect(await chip("on hold 2").getAttribute("aria-current")).toBe("true")
  await expectReadable("chips of what waits")
  await chip("queued 3").click()
  await expect.poll(async () => (await ids()).toSorted()).toEqual(["held", "later"])
  await row("held").locator(".badge").getByText("on hold", { exact: true }).waitFor()
  await chip("on hold 2").click()
  // Within what else is searched for; without any, a chip says nothing.
  await page.getByRole("searchbox").fill("agent:explore")
  await chip("queued 3").waitFor({ state: "detached" })
  await chip("blocked 1").waitFor()
  expect(await chips.getByText("on hold").count()).toBe(0)
  await page.goto(`${inspector.url}/`)
  await page.getByRole("link", { name: "2 for their provider" }).click()
  await expect.poll(async () => (await ids()).toSorted()).toEqual(["held", "later"])
})

it("calls a group what it is for, without the place of an item", async () => {
  const description = "Review {{item}}"
  adopt("group", { description, isGroup: true, state: "prompting", phase: "working" })
  adopt("plain", { description })
  await open("view=jobs")
  await row("group").getByText("Review each item").waitFor()
  await row("plain").getByText(description).waitFor()
  await page.getByRole("link", { name: /^group Review/ }).click()
  await page.getByRole("heading", { name: "group Review each item" }).waitFor()
})

it("says which models were tried, why each was left, and which one answered; what a model had done can be read", async () => {
  const limit = { kind: "provider", message: "rate limit: again in 3,600 s (HTTP 429)" } as const
  const moved = { startedAt: 1, endedAt: 2, model: "openai/gpt-6" }
  const left = { model: "anthropic/x", error: limit }
  adopt("fell", { ...moved, attempts: [{ ...left, session: "ses_left" }] })
  // Whoever had the page of the session that it has left is led to the one that it has now.
  await open("job=ses_left")
  await page.waitForURL(({ searchParams }) => searchParams.get("job") === sessionOf("fell"))
  const models = page.getByRole("region", { name: "Models", exact: true }).getByRole("listitem")
  const why = "anthropic/x was left: rate limit: again in 3,600 s (HTTP 429) provider"
  await expect
    .poll(() => models.allTextContents())
    .toEqual([`${why}What it had done is in opencode --session ses_left`, "openai/gpt-6 answered"])
  await page.getByText("openai/gpt-6, after anthropic/x", { exact: true }).waitFor()
  // Seen at once, on its page and in the list, beside its answer.
  const words = "answered by openai/gpt-6 after anthropic/x"
  await page.getByRole("main").getByText(words, { exact: true }).waitFor()
  await page.keyboard.press("2")
  await expect.poll(() => row("fell").locator(".at-activity").textContent()).toBe(`${words} · the answer`)
  adopt("moving", { ...moved, endedAt: undefined, state: "prompting", phase: "working", attempts: [left] })
  await row("moving").getByText("now with openai/gpt-6 after anthropic/x").waitFor()
  const message = "It broke off. agents_send has it go on where the job is."
  adopt("stays", { ...moved, state: "failed", error: { ...limit, message }, attempts: [left] })
  await page.goto(`${inspector.url}/?job=${sessionOf("stays")}`)
  await page.locator(".reason").getByText("It broke off. A follow-up goes on where it is.").waitFor()
  await expect.poll(() => models.allTextContents()).toEqual([why, "openai/gpt-6 is asked by a follow-up"])
})

describe("an answer as data", () => {
  const hostile = JSON.parse(
    '{"__proto__": {"constructor": "bent\\u202e"}, "files": [{"path": "src/a.ts", "lines": 3}], "ok": false}',
  )

  it("is a tree to open and to copy, and its text folded", async () => {
    const text = JSON.stringify({ ...hostile, list: [...Array(130).keys()] })
    adopt("data", { startedAt: 1, endedAt: 2, structured: JSON.parse(text), text })
    const asked = said("m1", "user", { type: "text", id: "p1", text: "list them" })
    const answered = said("m2", "assistant", { type: "text", id: "p2", text })
    scripted.conversations.set("data", { kind: "messages", messages: [asked, answered] })
    await context.grantPermissions(["clipboard-read", "clipboard-write"])
    await open(`job=${sessionOf("data")}`)
    const data = page.getByRole("region", { name: "Answer as data" })
    await data.getByText("1 item", { exact: true }).click()
    await data.getByText("path: src/a.ts, lines: 3").click()
    await data.getByText("__proto__", { exact: true }).click()
    await data.getByText("bent\\u{202e}").last().waitFor()
    await data.getByText("130 items").click()
    await data.getByRole("button", { name: "Show 30 more of 30" }).click()
    await data.getByText("129", { exact: true }).first().waitFor()
    await expectReadable("an answer as data")
    await data.getByRole("button", { name: "Copy the data" }).click()
    await data.getByText("Copied").first().waitFor()
    expect(JSON.parse(await page.evaluate(() => navigator.clipboard.readText()))).toEqual(JSON.parse(text))
    const talk = page.getByRole("region", { name: "Messages" })
    expect(await talk.getByText("src/a.ts").count()).toBe(0)
    await talk.getByText("The answer as it was written").click()
    await talk.getByText("src/a.ts").waitFor()
    await page.keyboard.press("2")
    await row("data").getByText('{"__proto__":{"constructor"').waitFor()
  })

  it("is left to the conversation where it is too deep or too long", async () => {
    const deep = JSON.parse(`${"[".repeat(10_000)}${"]".repeat(10_000)}`)
    adopt("deep", { startedAt: 1, endedAt: 2, structured: deep, text: "[[…]]" })
    adopt("long", { startedAt: 1, endedAt: 2, structured: ["x".repeat(1_000_001)], text: "[…]" })
    await open(`job=${sessionOf("deep")}`)
    const data = page.getByRole("region", { name: "Answer as data" })
    await data.getByText("It is nested more than 200 levels deep").waitFor()
    await page.goto(`${inspector.url}/?job=${sessionOf("long")}`)
    await data.getByText("It has 1,000,005 characters, too many to be shown as data").waitFor()
  })
})

it("shows what a batch and its owner have spent of what they may, as it grows", async () => {
  await inspector.stop()
  const { troupe, source } = scripted
  const budgets = new Budgets({
    troupe,
    budget: { cost: 5 },
    show: () => {},
    reportError: (error) => console.error(error),
  })
  source.budgets = (job) => budgets.of(job)
  await start()
  const budget = { tokens: 100_000 }
  for (const id of ["one", "two"]) scripted.start(id, { batch: "b1", budget })
  scripted.start("else", { batch: "b2" })
  await scripted.until("two", "prompting.working")
  await scripted.until("else", "prompting.working")
  await open("view=jobs")
  const meter = page.getByRole("meter", { name: "Budget of this batch" })
  const spend = (id: string, input: number, cost: number) =>
    troupe.tell({ owner: OWNER, id }, { type: "child.spent", usage: { ...NO_USAGE, input, cost } })
  const wordsOf = () => meter.getAttribute("aria-valuetext")
  await expect.poll(wordsOf).toBe("0 of 100k tokens")
  spend("one", 25_000, 1.5)
  await expect.poll(wordsOf).toBe("25.0k of 100k tokens")
  expect(await meter.getAttribute("aria-valuenow")).toBe("25")
  await page.getByRole("meter", { name: "Budget of this session's jobs" }).waitFor()
  await page.getByText("$1.50 of $5.00").waitFor()
  await expectReadable("budgets")
  spend("two", 76_000, 0)
  await page.getByText("spent: 101.0k of 100k tokens").waitFor()
  await row("two").getByText("budget spent: its batch has spent 101,000 of 100,000 tokens").waitFor()
  await page.getByRole("link", { name: "work of two" }).click()
  await page.locator(".reason").getByText("budget", { exact: true }).waitFor()
  await page.getByText("Have the rest done by a new job, or raise the option budget.").waitFor()
  budgets.stop()
})
