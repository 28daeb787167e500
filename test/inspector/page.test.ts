import { AxeBuilder } from "@axe-core/playwright"
import { describe, expect, it } from "vitest"
import { inspector, newPage, open, opened, page, row, scripted } from "./support/page-stage.ts"
import { OWNER, sessionOf } from "./support/scripted-troupe.ts"

describe("everybody", () => {
  it.each(["", "view=jobs", "view=timeline", "view=actors", `job=${sessionOf("j1")}`])(
    "has all of it on a narrow screen: /?%s",
    async (query) => {
      await newPage({ viewport: { width: 420, height: 800 } })
      await opened("j1")
      await open(query)
      if (query.startsWith("job")) await page.locator(".chart .here").waitFor()
      const overflow = () => document.documentElement.scrollWidth - document.documentElement.clientWidth
      expect(await page.evaluate(overflow)).toBe(0)
      expect(await page.locator("main").evaluate((main) => main.scrollWidth - main.clientWidth)).toBe(0)
      if (query.startsWith("job"))
        expect(await page.locator(".chart .here rect").boundingBox()).toMatchObject({
          x: expect.toSatisfy((x: number) => x > 0 && x < 420),
        })
    },
  )

  it("is spared what moves, where that is wished", async () => {
    await newPage({ reducedMotion: "reduce" })
    await open()
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
  })

  it("can read it with a screen reader, and in light as in dark", async () => {
    await newPage({ reducedMotion: "reduce" })
    const check = async (where: string) => {
      const { violations } = await new AxeBuilder({ page }).analyze()
      // In the dark nothing but the colours is another.
      await page.emulateMedia({ colorScheme: "dark" })
      const inTheDark = await new AxeBuilder({ page }).withRules("color-contrast").analyze()
      await page.emulateMedia({ colorScheme: "light" })
      expect(
        [...violations, ...inTheDark.violations].map(({ id, nodes }) => [
          where,
          id,
          nodes[0]?.html,
          nodes[0]?.failureSummary,
        ]),
      ).toEqual([])
    }
    for (const id of ["j1", "j2", "j3", "j4", "j5"]) scripted.start(id)
    await scripted.answer("j1")
    await scripted.answer("j2", { error: { kind: "provider", message: "quota" } })
    const ask = { id: "a", kind: "permission", text: "bash: ls" } as const
    await scripted.until("j3", "prompting.working")
    scripted.troupe.tell({ owner: OWNER, id: "j3" }, { type: "child.asked", ask, at: Date.now() })
    await open()
    for (const query of [
      "",
      "view=jobs",
      "view=timeline",
      "view=actors",
      `job=${sessionOf("j2")}`,
      `job=${sessionOf("j3")}`,
    ]) {
      await page.goto(`${inspector.url}/?${query}`)
      await page.locator(".connection.is-live").waitFor()
      await page.locator("main h1").first().waitFor({ state: "attached" })
      if (query.startsWith("job")) await page.locator(".chart svg").waitFor()
      await check(query)
    }
    await page.getByRole("button", { name: "Cancel…" }).click()
    await check("the question whether to cancel")
  })

  it("sees foreign text as text", async () => {
    const html = `<img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`
    const text = `${html}\u0007\u001b[31mred\u202Eevil\nשלום עולם ${"x".repeat(1_000_000)}`
    scripted.start("j1", { description: `${html}\u0007\u202Ede`, agent: html })
    await scripted.answer("j1", { text })
    await open("view=jobs")
    await row("j1").getByText(`${html}␇�de`).first().waitFor()
    await page.goto(`${inspector.url}/?job=${sessionOf("j1")}`)
    const shown = page.locator(".foreign")
    await shown.waitFor()
    const content = (await shown.textContent()) ?? ""
    expect(content.startsWith(`${html}␇␛[31mred�evil\nשלום`)).toBe(true)
    await page.getByRole("button", { name: /Show all 1,000,1\d\d characters/ }).click()
    expect((await shown.textContent())?.length).toBe(text.length)
    expect(await page.locator("main img, main script").count()).toBe(0)
    expect(await page.title()).toBe(`j1: ${html.slice(0, 80)} · opencode-troupe`)
  })
})
