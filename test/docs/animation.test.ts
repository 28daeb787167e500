import { readFileSync, statSync } from "node:fs"
import picocolors from "picocolors"
import { describe, expect, it, test } from "vitest"
import { animate, type Recording } from "../../scripts/docs/animation.ts"
import { themes } from "../../scripts/docs/colours.ts"

const { green, bold, dim } = picocolors.createColors(true)

const recording: Recording = {
  title: "Two jobs",
  description: "A & B run.",
  columns: 40,
  frames: [
    { at: 0, lines: ["$ run"] },
    { at: 1_000, lines: ["$ run", `⠋  ${bold("a")}   working`] },
    { at: 2_000, lines: ["$ run", `✓  ${bold("a")}   ${green("done")}  ${dim("<ok>")}`] },
  ],
  duration: 4_000,
}

describe("The animation of a recording", () => {
  const svg = animate(recording, themes.light)

  it("shows each text exactly while the recording does", () => {
    expect(textsAt(svg, 0)).toEqual(["$ run"])
    expect(textsAt(svg, 999)).toEqual(["$ run"])
    expect(textsAt(svg, 1_000)).toEqual(["$ run", "a", "working", "⠋"])
    expect(textsAt(svg, 3_999)).toEqual(["$ run", "&lt;ok&gt;", "a", "done", "✓"])
  })

  it("has a text once, however many frames show it", () => {
    expect(svg.match(/>a</g)).toHaveLength(1)
    expect(svg.match(/>\$ run</g)).toHaveLength(1)
  })

  it("puts each text into the column and row of the terminal, in its style", () => {
    const place = (text: string) =>
      svg.match(new RegExp(`x="([\\d.]+)" y="([\\d.]+)"[^>]*>${text}<`))?.slice(1)
    const [left, top] = (place("\\$ run") ?? []).map(Number)
    const [x, y] = (place("a") ?? []).map(Number)
    expect((x ?? 0) - (left ?? 0)).toBeCloseTo(3 * 7.8)
    expect((y ?? 0) - (top ?? 0)).toBe(18)
    expect(svg).toContain('class="b">a<')
    expect(svg).toContain('class="g">done<')
  })

  it("is the last frame where animations are off", () => {
    const still = [...svg.matchAll(/<g(?: class="k \w+ z")?>(.*)<\/g>/g)].map(([, inside = ""]) => inside)
    expect(still.flatMap(textsIn).sort()).toEqual(textsAt(svg, 3_999))
  })

  it("differs between the themes in its colours alone", () => {
    const shape = (text: string) => text.replaceAll(/#[0-9a-f]{6}/g, "")
    const dark = animate(recording, themes.dark)
    expect(dark).not.toBe(svg)
    expect(shape(dark)).toBe(shape(svg))
  })

  it("refuses an escape code that it has no style for", () => {
    const frames = [{ at: 0, lines: ["\u001b[44mblue"] }]
    expect(() => animate({ ...recording, frames }, themes.light)).toThrow("no style for the escape code 44")
  })
})

test.each(["docs/demo.light.svg", "docs/demo.dark.svg"])(
  "%s is small, and needs neither scripts nor anything from elsewhere",
  (path) => {
    const svg = readFileSync(path, "utf8")
    expect(statSync(path).size).toBeLessThan(60_000)
    expect(svg).not.toMatch(/<script|href|url\(|@import|\son\w+=/)
    expect(svg.match(/http[^"]*/g)).toEqual(["http://www.w3.org/2000/svg"])
  },
)

/** The texts that are visible at a moment, by the animation's own rules; sorted. */
function textsAt(svg: string, at: number): string[] {
  const share = (at / recording.duration) * 100
  const groups = [...svg.matchAll(/<g(?: class="k (\w+)[^"]*")?>(.*)<\/g>/g)]
  return groups
    .flatMap(([, name, inside = ""]) => (isVisible(svg, name, share) ? textsIn(inside) : []))
    .sort()
}

function isVisible(svg: string, name: string | undefined, share: number): boolean {
  if (name === undefined) return true
  const rule = svg.match(new RegExp(`@keyframes ${name}\\{(.*)\\}`))?.[1] ?? ""
  const steps = [...rule.matchAll(/([\d.]+)%\{opacity:([01])\}/g)]
  return steps.findLast(([, percent]) => Number(percent) <= share)?.[2] === "1"
}

const textsIn = (inside: string) => [...inside.matchAll(/>([^<]+)</g)].map(([, text = ""]) => text)
