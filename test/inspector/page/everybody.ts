import type { Locator } from "playwright-core"
import { describe, expect, it } from "vitest"
import type { PermissionRequest } from "../../../src/shown/requests.ts"
import { visible } from "../../../src/util/visible.ts"
import { isDeep } from "../../support/depth.ts"
import { expectProblems, inspector, open, opened, page, row, scripted } from "../support/page-stage.ts"
import { expectReadable } from "../support/readable.ts"
import { said, sessionOf } from "../support/scripted-troupe.ts"

describe("everybody", () => {
  it("has all of it on a narrow screen", async () => {
    await page.setViewportSize(phone)
    scripted.start("j1", { description: "a piece of work that has a name of some length, and more of it" })
    await opened("j2")
    await scripted.ask("j2", permissionOf("j2", "npm run a-script-whose-name-is-long && npm test"))
    await scripted.until("j1", "prompting.working")
    await open()
    // The numbers leave room for the work: the first job is in sight.
    const { height: tiles } = await boxOf(page.locator(".tiles"))
    expect(tiles).toBeLessThan(phone.height / 5)
    const card = page.locator(".card").first()
    const { x, y, width, height } = await boxOf(card)
    expect(y + height).toBeLessThan(phone.height)
    // State and time stand in one line, what it asks under them, as wide as there is room.
    const [badge, time, words] = await Promise.all(
      [".badge", ":scope > .quiet", "p"].map((part) => boxOf(card.locator(part))),
    )
    expect(Math.abs(middle(badge) - middle(time))).toBeLessThan(4)
    expect(words?.y).toBeGreaterThan((badge?.y ?? 0) + (badge?.height ?? 0))
    expect([words?.x, words?.width]).toEqual([x, width])
    expect(await isCut(card.locator("p"))).toBe(false)
    const isCutOff = () =>
      [document.documentElement, ...document.querySelectorAll("main")].map(
        ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth,
      )
    for (const view of views) {
      await goTo(view)
      expect(await page.evaluate(isCutOff), view).toEqual([0, 0])
    }
    await goTo("Jobs")
    // No column is lost: they stand under the name. All that sorts them is in sight.
    const name = await boxOf(row("j2").locator(".job-link"))
    for (const column of ["state", "activity", "agent", "time", "tokens", "cost"]) {
      const cell = await boxOf(row("j2").locator(`.at-${column}`))
      expect(cell.y, column).toBeGreaterThanOrEqual(name.y + name.height)
      expect(cell.width, column).toBeGreaterThan(0)
      expect(cell.x + cell.width, column).toBeLessThanOrEqual(phone.width)
    }
    expect(await isCut(page.locator(".row.head"))).toBe(false)
    await page.getByRole("link", { name: /^j1/ }).click()
    const work = await boxOf(page.getByRole("region", { name: "Conversation" }))
    for (const part of ["Details", "Time", "Files", "State", "History"]) {
      const section = page.getByRole("region", { name: part, exact: true })
      // Folded, and as wide as the others.
      expect(await section.locator("details[open]").count(), part).toBe(0)
      const { x: left, y: top, width: wide } = await boxOf(section)
      expect([left, wide], part).toEqual([work.x, work.width])
      expect(top, part).toBeGreaterThan(work.y)
      await section.locator("summary").click()
    }
    const here = page.locator(".chart .here rect")
    await here.waitFor()
    expect(await page.evaluate(isCutOff)).toEqual([0, 0])
    await expect
      .poll(async () => (await here.boundingBox())?.x)
      .toSatisfy((left: number) => left > 0 && left < phone.width)
  })

  const phone = { width: 390, height: 844 }
  const middle = (box: Box | undefined) => (box?.y ?? 0) + (box?.height ?? 0) / 2

  it("is spared what moves, where that is wished", async () => {
    await open()
    const moving = () => page.evaluate(() => document.getAnimations().length)
    await page.emulateMedia({ reducedMotion: "no-preference" })
    await expect.poll(moving).toBe(1)
    await page.emulateMedia({ reducedMotion: "reduce" })
    await expect.poll(moving).toBe(0)
  })

  it("can read it with a screen reader, and in light as in dark", async () => {
    for (const id of ["j1", "j2", "j3", "j4", "j5"]) scripted.start(id)
    await scripted.answer("j1")
    await scripted.answer("j2", { error: { kind: "provider", message: "quota" } })
    await scripted.ask("j3", permissionOf("j3", "ls"))
    const text =
      "# One\n\n### Two\n\n| a | b |\n|---|---|\n| `1` | [2](https://a.test) |\n\n```\ncode\n```\n\n> quoted"
    const call = { type: "tool", tool: "bash", title: "npm test", status: "error", input: [] } as const
    const messages = [
      said("m1", "user", { type: "text", id: "p1", text }),
      said("m2", "assistant", { type: "reasoning", id: "p2", text }, call, { type: "text", id: "p3", text }),
    ]
    scripted.conversations.set("j2", { kind: "messages", messages })
    await open()
    for (const view of views) {
      await goTo(view)
      await expectReadable(view)
    }
    for (const id of ["j2", "j3"]) {
      await goTo("Jobs")
      await page.getByRole("link", { name: `work of ${id}` }).click()
      await page.locator(".chart svg").waitFor()
      await page.locator(".turn").first().waitFor()
      await expectReadable(id)
    }
    // What destroys looks like it, before and in the question.
    const cancel = page.getByRole("button", { name: "Cancel…" })
    const other = page.getByRole("button", { name: "Send message…" })
    expect(await colourOf(cancel, "color")).not.toBe(await colourOf(other, "color"))
    expect(await colourOf(cancel, "border-color")).not.toBe(await colourOf(other, "border-color"))
    const primary = await colourOf(page.getByRole("button", { name: "Allow once" }), "background-color")
    await cancel.click()
    const dialog = page.getByRole("dialog")
    const confirm = await colourOf(dialog.getByRole("button", { name: "Cancel the job" }), "background-color")
    const back = await colourOf(dialog.getByRole("button", { name: "Back" }), "background-color")
    expect(new Set([primary, confirm, back]).size).toBe(3)
    await expectReadable("the question whether to cancel")
  })

  it.runIf(isDeep)("can read it at any size, and at twice the size", { timeout: 300_000 }, async () => {
    for (const id of ["j1", "j2", "j3", "j4", "j5"]) scripted.start(id)
    await scripted.answer("j1")
    await scripted.answer("j2", { error: { kind: "provider", message: "quota" } })
    await scripted.ask("j3", {
      id: "a",
      session: sessionOf("j3"),
      kind: "question",
      questions: [
        {
          key: "format",
          title: "Format",
          text: "Which format?",
          choices: [{ value: "md", label: "Markdown", description: "readable" }],
          isMultiple: false,
          takesText: true,
        },
      ],
    })
    await open()
    const jobs = ["j1", "j2", "j3", "j4"].map((id) => `job=${sessionOf(id)}`)
    const places = [...views.map((view) => `view=${view.toLowerCase()}`), ...jobs]
    // A page of 1,440 pixels at 200 % is one of 720.
    for (const width of [1_440, 1_024, 720, 390]) {
      await page.setViewportSize({ width, height: 900 })
      for (const place of places) {
        await page.goto(`${inspector.url}/?${place}`)
        await page.locator(".connection.is-live").waitFor()
        await page.locator("main h1").first().waitFor({ state: "attached" })
        await expectReadable(`${place} at ${width}`)
        const cut = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect(cut, `${place} at ${width}`).toBeLessThanOrEqual(0)
      }
    }
  })

  it("sees foreign text as text", async () => {
    const html = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`
    const text = `${html}\u0007\u001b[31mred\u202Eevil\nשלום עולם ${"x".repeat(100_000)}`
    scripted.start("j1", { description: `${html}\u0007\u202Ede`, agent: html })
    await scripted.answer("j1", { text })
    await open("job=ses_%E2%80%AEelse")
    await page.getByRole("heading", { name: 'There is no job "ses_\\u{202e}else".' }).waitFor()
    expectProblems(/404/)
    await page.goto(`${inspector.url}/?view=jobs`)
    await row("j1").getByText(`${html}\\u{7}\\u{202e}de`).first().waitFor()
    await page.goto(`${inspector.url}/?job=${sessionOf("j1")}`)
    const shown = page.locator(".by-assistant .markdown")
    await shown.waitFor()
    // Marks that are stacked on a letter paint over nothing that stands around.
    expect(await unclipped()).toEqual([])
    const content = (await shown.textContent()) ?? ""
    expect(content.startsWith(`${html}\\u{7}\\u{1b}[31mred\\u{202e}evilשלום`)).toBe(true)
    await page.getByRole("button", { name: /Show all 100,1\d\d characters/ }).click()
    // Its line end is an element.
    await expect.poll(async () => (await shown.textContent())?.length).toBe(visible(text).length - 1)
    expect(await page.locator("main img, main script").count()).toBe(0)
    expect(await page.title()).toBe(`j1: ${html.slice(0, 80)} · opencode-troupe`)
  })
})

/** Foreign words that are in no box which clips what is painted outside of it. */
const unclipped = () =>
  page.evaluate(() => {
    const isClipped = (element: Element): boolean => {
      if (element.matches("main, body")) return false
      const { overflowY } = getComputedStyle(element)
      return overflowY !== "visible" || (element.parentElement !== null && isClipped(element.parentElement))
    }
    const foreign = [...document.querySelectorAll("main :is(bdi, .markdown, .foreign)")]
    return foreign
      .filter((element) => !isClipped(element))
      .map(({ parentElement }) => parentElement?.outerHTML)
  })

type Box = { x: number; y: number; width: number; height: number }

async function boxOf(locator: Locator): Promise<Box> {
  const box = await locator.boundingBox()
  if (!box) throw new Error(`${locator} is not drawn`)
  return box
}

const isCut = (locator: Locator) =>
  locator.evaluate(({ scrollWidth, clientWidth, scrollHeight, clientHeight }) => {
    return scrollWidth > clientWidth || scrollHeight > clientHeight
  })

const colourOf = (locator: Locator, property: string) =>
  locator.evaluate((element, name) => getComputedStyle(element).getPropertyValue(name), property)

function permissionOf(id: string, command: string): PermissionRequest {
  const parts = [{ title: "command", text: command }]
  return { id: "a", session: sessionOf(id), kind: "permission", action: "bash", parts, always: ["ls *"] }
}

const views = ["Overview", "Jobs", "Timeline", "Actors"]

async function goTo(view: string): Promise<void> {
  const link = page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view })
  await link.click()
  await expect.poll(() => link.getAttribute("aria-current")).toBe("page")
  await page.locator("main h1").first().waitFor({ state: "attached" })
}
