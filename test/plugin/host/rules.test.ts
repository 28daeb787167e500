import { describe, expect, it } from "vitest"
import type { PermissionRule } from "../../../src/plugin/host/port.ts"
import { covers, hasWildcard, isWithin, verdict } from "../../../src/plugin/host/rules.ts"

describe("A pattern", () => {
  it.each([
    ["*", "anything *"],
    ["ls", "ls"],
    ["ls *", "ls *"],
    ["ls *", "ls -a *"],
    ["ls *", "ls"],
    ["a * b*", "a * b *"],
    ["src/*", "src/a\nb"],
    ["src/*.ts", "src/a/*.ts"],
    ["?s", "ls"],
    ["a?*", "ab*"],
    ["a.b*", "a.b"],
    ["a+(b)*", "a+(b)c"],
    ["[a]|{b}^$\\*", "[a]|{b}^$\\c"],
  ])("%j stands for all that %j stands for", (wide, narrow) => {
    expect(covers(wide, narrow)).toBe(true)
  })

  it.each([
    ["ls", "ls -a"],
    ["l.", "ls"],
    ["ls *", "lsof"],
    ["ls *", "also ls *"],
    ["ls -*", "ls *"],
    ["ls?*", "ls *"],
    ["a.b*", "axb"],
    ["?s", "*s"],
    ["?s", "s"],
    ["a * b", "a b"],
    ["rm ?*", "rm *"],
    ["*.ts", "a.ts *"],
  ])("%j does not stand for all that %j stands for", (wide, narrow) => {
    expect(covers(wide, narrow)).toBe(false)
  })

  it.each([
    ["ls *", true],
    ["l?", true],
    ["ls", false],
  ])("%j stands for more than itself: %s", (pattern, expected) => {
    expect(hasWildcard(pattern)).toBe(expected)
  })
})

describe("Rules", () => {
  const rule = (permission: string, pattern: string, action: PermissionRule["action"]) => ({
    permission,
    pattern,
    action,
  })

  it("say what the last of them says that is about all of a case; where none is, opencode asks", () => {
    const rules = [
      rule("*", "*", "allow"),
      rule("bash", "rm *", "deny"),
      rule("bash", "rm -i *", "allow"),
      rule("edit", "*", "ask"),
    ]
    const says = (permission: string, pattern: string) => verdict(rules, { permission, pattern })
    expect(says("bash", "rm -r *")).toBe("deny")
    expect(says("bash", "rm -i a")).toBe("allow")
    expect(says("bash", "*")).toBe("allow")
    expect(says("edit", "rm a")).toBe("ask")
    expect(verdict([rule("bash", "*", "deny")], { permission: "edit", pattern: "*" })).toBe("ask")
  })

  it("are within another where their permission and their pattern are", () => {
    const wide = { permission: "bash", pattern: "rm *" }
    expect(isWithin({ permission: "bash", pattern: "rm a" }, wide)).toBe(true)
    expect(isWithin({ permission: "edit", pattern: "rm a" }, wide)).toBe(false)
    expect(isWithin({ permission: "bash", pattern: "ls" }, wide)).toBe(false)
  })
})
