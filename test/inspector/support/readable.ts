import { AxeBuilder } from "@axe-core/playwright"
import { expect } from "vitest"
import { page } from "./page-stage.ts"

/** axe finds nothing in light, and in the dark, where nothing but the colours is another. */
export async function expectReadable(where: string): Promise<void> {
  const axe = () => new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] })
  const { violations } = await axe().analyze()
  await page.emulateMedia({ colorScheme: "dark" })
  const inTheDark = await axe().withRules("color-contrast").analyze()
  await page.emulateMedia({ colorScheme: "light" })
  const found = [...violations, ...inTheDark.violations]
  expect(found.map(({ id, nodes }) => [where, id, nodes[0]?.html, nodes[0]?.failureSummary])).toEqual([])
}
