import { describe, expect, it } from "vitest"
import { visible } from "../../../src/util/visible.ts"
import { isDeep } from "../../support/depth.ts"
import { inspector, open, opened, page, row, scripted } from "../support/page-stage.ts"
import { expectReadable } from "../support/readable.ts"
import { said, sessionOf } from "../support/scripted-troupe.ts"

describe("everybody", () => {
  it("has all of it on a narrow screen", async () => {
    await page.setViewportSize({ width: 420, height: 800 })
    await opened("j1")
    await open()
    const isCutOff = () =>
      [document.documentElement, ...document.querySelectorAll("main")].map(
        ({ scrollWidth, clientWidth }) => scrollWidth - clientWidth,
      )
    for (const view of views) {
      await goTo(view)
      expect(await page.evaluate(isCutOff), view).toEqual([0, 0])
    }
    await page.getByRole("link", { name: /^j1/ }).click()
    for (const part of ["Details", "Time", "Files", "State", "History"])
      await page.locator("summary", { hasText: part }).click()
    const here = page.locator(".chart .here rect")
    await here.waitFor()
    expect(await page.evaluate(isCutOff)).toEqual([0, 0])
    await expect.poll(async () => (await here.boundingBox())?.x).toSatisfy((x: number) => x > 0 && x < 420)
  })

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
    await scripted.ask("j3", {
      id: "a",
      session: sessionOf("j3"),
      kind: "permission",
      action: "bash",
      parts: [{ title: "command", text: "ls" }],
      always: ["ls *"],
    })
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
    await page.getByRole("button", { name: "Cancel…" }).click()
    await page.getByRole("dialog").waitFor()
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
    await open("view=jobs")
    await row("j1").getByText(`${html}\\u{7}\\u{202e}de`).first().waitFor()
    await page.goto(`${inspector.url}/?job=${sessionOf("j1")}`)
    const shown = page.locator(".by-assistant .markdown")
    await shown.waitFor()
    const content = (await shown.textContent()) ?? ""
    expect(content.startsWith(`${html}\\u{7}\\u{1b}[31mred\\u{202e}evilשלום`)).toBe(true)
    await page.getByRole("button", { name: /Show all 100,1\d\d characters/ }).click()
    // Its line end is an element.
    await expect.poll(async () => (await shown.textContent())?.length).toBe(visible(text).length - 1)
    expect(await page.locator("main img, main script").count()).toBe(0)
    expect(await page.title()).toBe(`j1: ${html.slice(0, 80)} · opencode-troupe`)
  })
})

const views = ["Overview", "Jobs", "Timeline", "Actors"]

async function goTo(view: string): Promise<void> {
  const link = page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view })
  await link.click()
  await expect.poll(() => link.getAttribute("aria-current")).toBe("page")
  await page.locator("main h1").first().waitFor({ state: "attached" })
}
