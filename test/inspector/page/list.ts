import type { Locator } from "playwright-core"
import { beforeEach, describe, expect, it } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { expectProblems, open, opened, page, row, scripted } from "../support/page-stage.ts"
import { expectReadable } from "../support/readable.ts"
import { jobInput, OWNER, sessionOf } from "../support/scripted-troupe.ts"

const isCut = (locator: Locator) =>
  locator.evaluate(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)

describe("finding the way", () => {
  beforeEach(async () => {
    scripted.start("plain", { createdAt: 1_000 })
    await scripted.answer("plain")
    scripted.start("broken", { createdAt: 2_000, agent: "explore" })
    await scripted.answer("broken", { error: { kind: "provider", message: "quota used up" } })
  })

  it("keeps what is selected in the address, back and forward", async () => {
    await open("view=jobs&list=flat&q=state:failed")
    await row("broken").waitFor()
    expect(await row("plain").count()).toBe(0)
    // Anywhere in its row.
    const { x = 0, y = 0, width = 0 } = (await row("broken").boundingBox()) ?? {}
    await page.mouse.click(x + width - 30, y + 12)
    await page.getByRole("heading", { name: /work of broken/ }).waitFor()
    expect(new URL(page.url()).searchParams.get("job")).toBe(sessionOf("broken"))
    await page.goBack()
    await row("broken").waitFor()
    await page.goForward()
    await page.getByRole("heading", { name: /work of broken/ }).waitFor()
  })

  it("searches by field and word", async () => {
    await open("view=jobs")
    await page.keyboard.press("/")
    await page.keyboard.type("state:failed agent:explore quota")
    await row("plain").waitFor({ state: "detached" })
    await row("broken").waitFor()
    await page.getByRole("searchbox").fill("state:faild quota")
    await page.getByText("There is no state faild: there are created, prompting, done,").waitFor()
    await page.keyboard.press("Escape")
    await page.keyboard.press("Escape")
    await row("plain").getByText("the answer").waitFor()
    expect(await page.getByRole("searchbox").inputValue()).toBe("")
  })

  it("filters by the state whose count is followed", async () => {
    await open()
    await page.getByRole("link", { name: /^1 failed$/ }).click()
    await row("broken").waitFor()
    expect(await row("plain").count()).toBe(0)
    expect(new URL(page.url()).searchParams.get("q")).toBe("state:failed")
    await page.getByRole("list", { name: "States" }).getByRole("link", { name: "failed 1" }).click()
    await row("plain").waitFor()
  })

  it("says what can be done about an error, what was used, and where the time went", async () => {
    await open(`job=${sessionOf("broken")}`)
    await page.getByText("quota used up", { exact: true }).waitFor()
    await page.getByText("Check its key, quota and status, then send a follow-up.").waitFor()
    await page.locator(".waterfall li", { hasText: "running" }).waitFor()
    await page.getByRole("region", { name: "Details" }).getByText("tokens in / out").waitFor()
    await page.getByRole("link", { name: "↓ next" }).click()
    await page.getByRole("heading", { name: /work of plain/ }).waitFor()
    expect(await page.getByRole("link", { name: "↓ next" }).count()).toBe(0)
    await page.getByRole("link", { name: "all jobs of ses_owner" }).click()
    await row("broken").waitFor()
    expect(new URL(page.url()).searchParams.get("q")).toBe("owner:ses_owner")
  })

  it("keeps the span of the timeline in the address", async () => {
    const long = { createdAt: 1_000, startedAt: 2_000, endedAt: 3_000, session: "ses_old", usage: NO_USAGE }
    scripted.troupe.adopt({ ...jobInput("old"), ...long, state: "done" })
    await opened("now")
    const old = page.getByRole("link", { name: /^old: done/ })
    await open("view=timeline")
    await page.getByRole("link", { name: /^now: prompting/ }).waitFor()
    // The jobs of last week would leave no room for those of today.
    expect(await old.count()).toBe(0)
    await page.getByRole("link", { name: "all", exact: true }).click()
    await old.waitFor()
    expect(new URL(page.url()).searchParams.get("span")).toBe("all")
    await page.getByRole("link", { name: "5 m", exact: true }).click()
    await old.waitFor({ state: "detached" })
    await page.goBack()
    await old.waitFor()
  })

  it("is moved and magnified on the timeline, where every job has its name", async () => {
    const at = Date.now()
    const adopt = (id: string, more: Partial<JobRecord>) =>
      scripted.troupe.adopt({
        ...{ ...jobInput(id), batch: "b1", session: `ses_${id}`, state: "done", usage: NO_USAGE },
        ...{ createdAt: at - 600_000, ...more },
      })
    const usage = { ...NO_USAGE, input: 2_000, cost: 0.5 }
    adopt("long", { startedAt: at - 500_000, endedAt: at - 10_000, usage })
    adopt("short", { createdAt: at - 300_005, startedAt: at - 300_005, endedAt: at - 300_000 })
    adopt("unstarted", { state: "cancelled", endedAt: at - 400_000 })
    const retry = { attempt: 1, reason: "busy", next: at + 60_000 }
    const retrying = { state: "prompting", phase: "retrying", retry } as const
    adopt("again", { ...retrying, batch: "b2", startedAt: at - 500_000, activity: { at: at - 300_000 } })
    scripted.titles.set("ses_owner", "Fix the login")
    scripted.start("never", { createdAt: at - 60_000 })
    await scripted.until("never", "prompting.working")
    await open("view=timeline")
    const bar = page.getByRole("link", { name: /^never: prompting/ })
    await bar.locator(".part.is-queued").waitFor()
    await bar.locator(".part.is-run").waitFor({ state: "attached" })
    // By owner and batch, over lines of the time, with one for now.
    const headings = page.locator(".lane-heading")
    await expect
      .poll(async () => (await headings.allTextContents()).filter((text) => text.includes("batch of")).sort())
      .toEqual(Array(2).fill(expect.stringMatching(/^Fix the login batch of ([\w ]+ )?\d\d:\d\d:\d\d$/)))
    expect(await page.locator(".gridlines span:not(.is-now)").count()).toBeGreaterThan(2)
    expect(await page.locator(".gridlines .is-now").count()).toBe(1)
    await page.getByText("Tokens in this period: 2.0k").waitFor()
    await page.getByText("Cost in this period: $0.5000").waitFor()
    await page.getByRole("link", { name: "unstarted: cancelled, waited 3 m 20 s, never started" }).waitFor()
    const kindsOf = (id: string) =>
      page
        .getByRole("link", { name: new RegExp(`^${id}: `) })
        .locator(".part")
        .evaluateAll((parts) => parts.map(({ className }) => className))
    expect([await kindsOf("unstarted"), await kindsOf("again")]).toEqual([
      ["part is-queued"],
      ["part is-queued", "part is-run", "part is-retry"],
    ])
    // Too short for its name, which is there when somebody points at it.
    const short = page.getByRole("link", { name: /^short: done/ })
    const isNamed = () =>
      short.evaluate((link) => {
        const label = link.querySelector(".label")?.getBoundingClientRect()
        return getComputedStyle(link).overflow === "visible" && (label?.width ?? 0) > link.clientWidth
      })
    expect((await short.boundingBox())?.width).toBeLessThan(8)
    expect(await isNamed()).toBe(false)
    await short.hover()
    await expect.poll(isNamed).toBe(true)
    await page.mouse.move(0, 0)
    await expect.poll(isNamed).toBe(false)
    await page.keyboard.press("j")
    await short.focus()
    await expect.poll(isNamed).toBe(true)
    await page.getByRole("button", { name: "Zoom in" }).click()
    const range = () => new URL(page.url()).searchParams.get("range")
    const near = range()
    expect(near).toMatch(/^\d+-\d+$/)
    await page.getByRole("button", { name: "Earlier" }).click()
    expect(range()).not.toBe(near)
    const moved = range()
    await page.locator(".lanes-box").hover()
    await page.keyboard.down("Control")
    await page.mouse.wheel(0, -100)
    await page.keyboard.up("Control")
    await expect.poll(range).not.toBe(moved)
    const before = range()
    const { x, y, width, height } = (await page.locator(".lanes-box").boundingBox()) ?? {
      x: 0,
      y: 0,
      width: 0,
      height: 0,
    }
    await page.mouse.move(x + width - 5, y + height - 3)
    await page.mouse.down()
    await page.mouse.move(x + width - 105, y + height - 3)
    await page.mouse.up()
    await expect.poll(range).not.toBe(before)
    await page.getByRole("link", { name: "1 h", exact: true }).click()
    // In the colours in which its page shows the same.
    const tones = (where: string, kinds: string[]) =>
      page.evaluate(
        ([place, names]) =>
          names.map((kind) => {
            const element = document.querySelector(`${place}.is-${kind}`)
            return element && getComputedStyle(element).getPropertyValue("--tone")
          }),
        [where, kinds] as const,
      )
    const kinds = ["queued", "run", "retry"]
    const inLanes = await tones(".lanes .part", kinds)
    expect(await tones(".legend .swatch", kinds)).toEqual(inLanes)
    expect(new Set(inLanes).size).toBe(3)
    await page.getByRole("link", { name: /^long: done/ }).click()
    await page.locator(".waterfall li").nth(1).waitFor()
    expect(await tones(".waterfall .span", ["queued", "run"])).toEqual(inLanes.slice(0, 2))
    expectProblems(/503/)
  })

  it("shows on the timeline that a job has waited for somebody, long after it went on", async () => {
    scripted.start("asked")
    await scripted.until("asked", "prompting.working")
    const at = Date.now()
    const ask = { id: "a", kind: "permission", text: "bash: ls" } as const
    scripted.troupe.tell({ owner: OWNER, id: "asked" }, { type: "child.asked", ask, at })
    await scripted.until("asked", "prompting.permission")
    scripted.troupe.tell({ owner: OWNER, id: "asked" }, { type: "child.answered", ask: "a", at: at + 1_000 })
    await scripted.answer("asked")
    await open("view=timeline")
    const bar = page.getByRole("link", { name: /^asked: done/ })
    await bar.locator(".part.is-waiting").waitFor({ state: "attached" })
  })

  it("goes from job to job by keys in every view, and reads on where it leads", async () => {
    await open()
    await page.keyboard.press("j")
    await page.keyboard.press("ArrowDown")
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("plain work of plain")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: /work of plain/ }).waitFor()
    await page.waitForFunction(() => document.activeElement?.tagName === "H1")
    await page.keyboard.press("ArrowDown")
    expect(new URL(page.url()).searchParams.get("job")).toBe(sessionOf("plain"))
  })

  it("gives the focus back when a dialog closes", async () => {
    await open(`job=${sessionOf("plain")}`)
    const button = page.getByRole("button", { name: "Follow-up…" })
    for (const close of [
      () => page.getByRole("button", { name: "Back" }).click(),
      () => page.keyboard.press("Escape"),
    ]) {
      await button.click()
      await page.getByRole("dialog").waitFor()
      await close()
      await page.getByRole("dialog").waitFor({ state: "detached" })
      expect(await button.evaluate((element) => element === document.activeElement)).toBe(true)
    }
  })

  it("loses no key of quick fingers, which are ahead of the drawing", async () => {
    await open("view=jobs")
    await row("plain").waitFor()
    const press = (keys: string[]) =>
      page.evaluate((each) => {
        for (const key of each)
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))
      }, keys)
    await press(["j", "ArrowDown", "k", "ArrowUp", "j", "Enter"])
    await page.getByRole("heading", { name: /work of plain/ }).waitFor()
  })

  it("goes by keys", async () => {
    await open()
    await page.keyboard.press("2")
    await row("plain").waitFor()
    for (const key of ["j", "ArrowDown", "k", "ArrowUp", "j"]) await page.keyboard.press(key)
    await page.locator(".row.current", { hasText: "plain" }).waitFor()
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: /work of plain/ }).waitFor()
    await page.keyboard.press("k")
    await page.getByRole("heading", { name: /work of broken/ }).waitFor()
    await page.keyboard.press("Escape")
    await row("broken").waitFor()
    scripted.start("needy", { createdAt: 500 })
    await scripted.ask("needy", {
      id: "a1",
      session: sessionOf("needy"),
      kind: "permission",
      action: "bash",
      parts: [],
      always: [],
    })
    await page.locator(".count").waitFor()
    await page.keyboard.press("n")
    await page.getByRole("heading", { name: /work of needy/ }).waitFor()
    for (const [key, title] of [
      ["f", "Send message: needy"],
      ["c", "Cancel needy?"],
    ] as const) {
      await page.keyboard.press(key)
      await page.getByRole("heading", { name: title }).waitFor()
      await page.keyboard.press("Escape")
      await page.getByRole("dialog").waitFor({ state: "detached" })
    }
    await page.keyboard.press("?")
    await page.getByRole("heading", { name: "Keyboard shortcuts and search" }).waitFor()
  })
})

describe("the list by owner", () => {
  const fold = (owner: string) => page.getByRole("button", { name: `Jobs of ${owner}` })
  const foldInAddress = () => new URL(page.url()).searchParams.get("fold")

  beforeEach(async () => {
    for (const [index, id] of ["a1", "a2", "b1"].entries()) {
      const owner = id.startsWith("a") ? "ses_a" : "ses_b"
      scripted.start(id, { owner, createdAt: 1_000 * (index + 1) })
      await scripted.until(id, "prompting.working")
    }
  })

  it("folds an owner's jobs away, and the address says so", async () => {
    await open("view=jobs")
    expect(await fold("ses_a").getAttribute("aria-expanded")).toBe("true")
    await fold("ses_a").click()
    await row("a1").waitFor({ state: "detached" })
    expect(await fold("ses_a").getAttribute("aria-expanded")).toBe("false")
    await row("b1").waitFor()
    expect(foldInAddress()).toBe("ses_a")
    await page.reload()
    await row("b1").waitFor()
    expect(await row("a1").count()).toBe(0)
    await fold("ses_a").focus()
    await page.keyboard.press("Enter")
    await row("a1").waitFor()
    expect(foldInAddress()).toBeNull()
  })

  it("folds all, and all but some", async () => {
    await open("view=jobs")
    await page.getByRole("button", { name: "Collapse all" }).click()
    await row("b1").waitFor({ state: "detached" })
    await fold("ses_b").click()
    await row("b1").waitFor()
    expect([await row("a1").count(), foldInAddress()]).toEqual([0, "*,ses_b"])
    await fold("ses_b").click()
    await page.getByRole("button", { name: "Expand all" }).click()
    await row("a2").waitFor()
    expect(foldInAddress()).toBeNull()
  })

  it("folds by keys, and the focus goes along", async () => {
    await open("view=jobs")
    const focus = (text: string) =>
      page.waitForFunction((part) => document.activeElement?.textContent?.includes(part), text)
    // The newest owner comes first.
    await page.keyboard.press("j")
    await focus("work of b1")
    await page.keyboard.press("ArrowLeft")
    await row("b1").waitFor({ state: "detached" })
    await focus("ses_b")
    await page.keyboard.press("j")
    await focus("work of a2")
    await page.keyboard.press("k")
    await focus("ses_b")
    await page.keyboard.press("ArrowRight")
    await row("b1").waitFor()
    await page.keyboard.press("ArrowDown")
    await focus("work of b1")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: /work of b1/ }).waitFor()
    await page.keyboard.press("Escape")
    await focus("work of b1")
  })

  it("puts what a job started under it", async () => {
    scripted.start("c1", { owner: sessionOf("b1"), createdAt: 9_000 })
    await open("view=jobs")
    await row("c1").locator(".depth-1").waitFor()
    expect(await fold(sessionOf("b1")).count()).toBe(0)
    await fold("ses_b").click()
    await row("c1").waitFor({ state: "detached" })
  })
})

describe("batches and owners", () => {
  const group = (text: string) =>
    page.locator("[role=row]", { has: page.locator(".owner", { hasText: text }) })

  beforeEach(async () => {
    const usage = { ...NO_USAGE, input: 1_500, cost: 0.25 }
    const made = [
      { id: "a1", batch: "b1", state: "done", agent: "general", usage },
      { id: "a2", batch: "b1", state: "failed", agent: "general-b", usage: { ...usage, input: 1_000 } },
      { id: "a3", batch: "b2", state: "timedOut", agent: "general-a", usage: { ...NO_USAGE, input: 2_000 } },
    ] as const
    for (const [index, job] of made.entries()) {
      const at = { createdAt: 1_000 * index, startedAt: 2_000, endedAt: 9_000 - 1_000 * index }
      scripted.troupe.adopt({ ...jobInput(job.id), ...at, ...job, session: sessionOf(job.id) })
    }
    const names = { description: "work of a4, all of it in sight", agent: "explore-and-say-what-you-see" }
    scripted.start("a4", { batch: "b2", createdAt: 5_000, ...names })
    await scripted.until("a4", "prompting.working")
  })

  it("say how far they are and what they have used", async () => {
    scripted.titles.set("ses_owner", "Fix the login")
    await open("view=jobs")
    await group("Fix the login").getByText("4 jobs, 1 live, 1 failed, 1 timed out").waitFor()
    await group("Fix the login").getByText("4.5k tokens · $0.5000").waitFor()
    await group("Batch of").nth(0).getByText("2.0k tokens · —").waitFor()
    // Of what costs nothing nobody knows whether it has a price; of nothing one does.
    const costs = ["a2", "a3", "a4"].map((id) => row(id).locator(".at-cost").textContent())
    expect(await Promise.all(costs)).toEqual(["$0.2500", "—", "$0"])
    const progress = group("Batch of").nth(1).getByRole("progressbar")
    expect(await progress.getAttribute("aria-valuetext")).toBe("2 of 2 have ended, 1 done, 1 failed")
    // As wide as they are many, each in the colour of its state.
    const widths = await progress.locator("span").evaluateAll((each) => each.map((part) => part.clientWidth))
    expect(widths).toEqual([45, 45, 0, 0])
    scripted.retitle("ses_owner", "Mend the login")
    await group("Mend the login").waitFor()
    await page.setViewportSize({ width: 1024, height: 800 })
    // A name is worth more than an agent or an age, and a title more than its session's id.
    expect(await isCut(row("a4").locator(".job-link"))).toBe(false)
    expect(await isCut(row("a4").locator(".at-agent"))).toBe(true)
    const widthOf = async (locator: Locator) => (await locator.boundingBox())?.width ?? 0
    const others = await Promise.all(
      ["activity", "agent", "time"].map((column) => widthOf(row("a4").locator(`.at-${column}`))),
    )
    expect(await widthOf(row("a4").locator(".name"))).toBeGreaterThan(Math.max(220, ...others))
    scripted.retitle("ses_owner", `Mend the login, ${"and whatever else is broken, ".repeat(9)}at once`)
    const owner = group("and whatever else")
    await owner.waitFor()
    const title = owner.locator(".fold .clip")
    expect(await isCut(title)).toBe(true)
    expect(await title.evaluate((element) => getComputedStyle(element).textOverflow)).toBe("ellipsis")
    expect(await widthOf(title)).toBeGreaterThan(300)
    expect(await widthOf(owner.locator(".sums"))).toBeLessThan(20)
    await page.setViewportSize({ width: 390, height: 800 })
    await expectReadable("jobs on a phone")
    await row("a4").getByText("explore").waitFor()
    await page.setViewportSize({ width: 1280, height: 800 })
  })

  it("are cancelled, and what failed in them runs again, in one go", async () => {
    await open("view=jobs")
    await group("Batch of").first().getByRole("button", { name: "Cancel all…" }).click()
    await page.getByLabel("Reason").fill("enough")
    await page.getByRole("button", { name: "Cancel 1 job" }).click()
    await scripted.until("a4", "cancelled")
    await row("a4").getByText("cancelled in the inspector: enough").waitFor()
    await group("ses_owner").getByRole("button", { name: "Run 2 again…" }).click()
    expect(await page.getByLabel("Message").inputValue()).toContain("Your last run did not end well.")
    expect((await page.getByRole("dialog").boundingBox())?.width).toBeLessThan(600)
    await page.keyboard.type("once more")
    await page.getByRole("button", { name: "Run 2 jobs again" }).click()
    await page.getByRole("dialog").waitFor({ state: "detached" })
    expect(scripted.sent.map(({ id, message }) => `${id} ${message}`).sort()).toEqual([
      "a2 once more",
      "a3 once more",
    ])
  })

  it("are counted within the search, whose other terms a chip keeps", async () => {
    await open("view=jobs&q=agent:general+work")
    const chip = (name: RegExp) => page.getByRole("list", { name: "States" }).getByRole("link", { name })
    await chip(/prompting 0/).waitFor()
    await chip(/failed 1/).click()
    await row("a1").waitFor({ state: "detached" })
    await chip(/done 1/).click()
    await row("a1").waitFor()
    expect(new URL(page.url()).searchParams.get("q")).toBe("state:failed,done agent:general work")
    await chip(/failed 1/).click()
    await chip(/done 1/).click()
    await chip(/waits for you 0/).click()
    await page.getByText("No job matches this search.").waitFor()
    expect(new URL(page.url()).searchParams.get("q")).toBe("phase:permission,question agent:general work")
  })

  it("are sorted by a column, which the address names", async () => {
    await open("view=jobs&list=flat&q=agent:general")
    const names = () => page.locator(".window .job-link code").allTextContents()
    const head = (name: string) => page.getByRole("columnheader", { name }).getByRole("link")
    await expect.poll(names).toEqual(["a3", "a2", "a1"])
    await head("Time").click()
    await expect.poll(names).toEqual(["a1", "a2", "a3"])
    expect(new URL(page.url()).searchParams.get("sort")).toBe("-time")
    await head("Time").click()
    await expect.poll(names).toEqual(["a3", "a2", "a1"])
    expect(await page.getByRole("columnheader", { name: "Time" }).getAttribute("aria-sort")).toBe("ascending")
    await head("Time").click()
    expect(new URL(page.url()).searchParams.get("sort")).toBeNull()
    for (const [column, order] of [
      ["Job", ["a1", "a2", "a3"]],
      ["Cost", ["a2", "a1", "a3"]],
      ["State", ["a1", "a2", "a3"]],
      ["Tokens", ["a3", "a1", "a2"]],
      ["Agent", ["a1", "a3", "a2"]],
    ] as const) {
      await head(column).click()
      await expect.poll(names, { message: column }).toEqual(order)
    }
  })
})

it("draws of thousands of jobs those that can be seen", async () => {
  for (let index = 0; index < 3_000; index++)
    scripted.troupe.adopt({
      ...jobInput(`n${index}`),
      session: `ses_n${index}`,
      state: "done",
      createdAt: index,
      usage: NO_USAGE,
    })
  await open("view=jobs&list=flat")
  await row("n2999").waitFor()
  expect(await page.getByRole("row").count()).toBeLessThan(50)
  await page.locator(".rows").evaluate((box) => box.scrollTo(0, box.scrollHeight))
  await row("n0").waitFor()
  expect(await page.getByRole("row").count()).toBeLessThan(50)
  expect(await row("n0").getAttribute("aria-rowindex")).toBe("3001")
  // What is found is seen from its beginning.
  await page.keyboard.press("/")
  await page.keyboard.type("work of n12", { delay: 1 })
  await row("n2999").waitFor({ state: "detached" })
  await row("n1299").waitFor()
  expect(await page.getByRole("row").count()).toBeLessThan(50)
  await page.keyboard.press("Escape")
  await page.keyboard.press("3")
  const bars = page.locator(".lanes a")
  await page.getByRole("link", { name: "all", exact: true }).click()
  await page.getByRole("link", { name: /^n12: done/ }).waitFor()
  expect(await bars.count()).toBeLessThan(50)
  await page.locator(".lanes-box").evaluate((box) => box.scrollTo(0, box.scrollHeight))
  await page.getByRole("link", { name: /^n1299: done/ }).waitFor()
  expect(await bars.count()).toBeLessThan(50)
  await page.keyboard.press("2")
  await page.keyboard.press("Escape")
  await row("n2999").waitFor()
  // From nowhere, up leads to the end and down to the beginning, as far as that is.
  await page.keyboard.press("k")
  await page.waitForFunction(() => document.activeElement?.textContent === "n0 work of n0")
})
