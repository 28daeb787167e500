import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { childRules, rulesElsewhere } from "../../../src/plugin/children/permissions.ts"
import type { HostAgent, PermissionRule } from "../../../src/plugin/host/port.ts"

type Action = PermissionRule["action"]

const rule = (permission: string, action: Action, pattern = "*"): PermissionRule => ({
  permission,
  pattern,
  action,
})

const agentOf = (name: string, rules: PermissionRule[]): HostAgent => ({
  name,
  rules,
  isSubagent: true,
  isHidden: false,
})

/** What opencode decides: a session's rules stand behind its agent's, and the last that matches counts. */
function decided(rules: readonly PermissionRule[], permission: string, pattern: string): Action {
  const last = rules.findLast(
    (each) => matches(each.permission, permission) && matches(each.pattern, pattern),
  )
  return last?.action ?? "ask"
}

/** As opencode matches: `ls *` stands for `ls` too, and a backslash for a slash. */
function matches(glob: string, text: string): boolean {
  const source = glob
    .replaceAll("\\", "/")
    .replace(/[.+^${}()|[\]]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".")
  const all = source.endsWith(" .*") ? `${source.slice(0, -3)}( .*)?` : source
  return new RegExp(`^${all}$`, "s").test(text.replaceAll("\\", "/"))
}

/** What a child of `child` may, whose owner runs as `owner`. */
function childOf(
  owner: PermissionRule[],
  child: PermissionRule[],
  { session = [], mayStartJobs = false }: { session?: PermissionRule[]; mayStartJobs?: boolean } = {},
) {
  const added = childRules(session, agentOf("owner", owner), agentOf("child", child), mayStartJobs)
  const rules = [...child, ...added]
  return (permission: string, pattern = "anything") => decided(rules, permission, pattern)
}

const everything = [rule("*", "allow")]

describe("A child, as one of opencode's own task,", () => {
  it("may start no tasks and write no todos, unless its agent says otherwise", () => {
    const plain = childOf(everything, everything)
    expect([plain("task"), plain("todowrite"), plain("bash")]).toEqual(["deny", "deny", "allow"])
    const delegate = childOf(everything, [...everything, rule("task", "allow"), rule("todowrite", "ask")])
    expect([delegate("task"), delegate("todowrite")]).toEqual(["allow", "ask"])
  })

  it("is not denied tasks where it may start jobs, which ask for the same permission", () => {
    expect(childOf(everything, everything, { mayStartJobs: true })("task")).toBe("allow")
    expect(childRules([], agentOf("build", everything), agentOf("general", everything), true)).toEqual([
      rule("todowrite", "deny"),
    ])
  })

  it("inherits what its owner's session denies, and what it says of folders outside", () => {
    const session = [
      rule("webfetch", "deny"),
      rule("bash", "allow"),
      rule("external_directory", "allow", "/tmp/*"),
    ]
    const may = childOf(
      everything,
      [...everything, rule("external_directory", "deny"), rule("bash", "ask")],
      { session },
    )
    expect(may("webfetch")).toBe("deny")
    expect(may("bash")).toBe("ask")
    expect(may("external_directory", "/tmp/here")).toBe("allow")
    expect(may("external_directory", "/etc")).toBe("deny")
  })

  it("gets no rules beyond these from an owner that may do everything", () => {
    expect(childRules([], agentOf("build", everything), agentOf("general", everything), false)).toEqual([
      rule("todowrite", "deny"),
      rule("task", "deny"),
    ])
  })

  it("has what its owner's session denies where opencode does not know the owner's agent", () => {
    const session = [rule("bash", "deny")]
    const agent = agentOf("general", [...everything, rule("task", "ask"), rule("todowrite", "ask")])
    expect(childRules(session, undefined, agent, false)).toEqual(session)
  })
})

describe("What an owner's agent is denied", () => {
  it.each(["src/a.ts", "a+b", "a^b", "cost $5", "{a,b}", "(a)", "a|b", "[id].ts", "C:\\a"])(
    "its child is too, to the letter: %s",
    (pattern) => {
      const may = childOf([...everything, rule("edit", "deny", pattern)], everything)
      expect([may("edit", pattern), may("edit", `${pattern}x`)]).toEqual(["deny", "allow"])
    },
  )

  it("stays so where what is allowed later only looks alike", () => {
    const may = childOf([rule("edit", "deny", "axb"), rule("edit", "allow", "a.b")], everything)
    expect(may("edit", "axb")).toBe("deny")
  })

  it("is not denied to its child where all of it is allowed later, even over several lines", () => {
    const pattern = "cat <<END\n*"
    const may = childOf([rule("bash", "deny", pattern), rule("bash", "allow")], everything)
    expect(may("bash", "cat <<END\nwords")).toBe("allow")
  })

  it("is denied to its child with and without arguments, as opencode takes `rm *`", () => {
    const may = childOf([...everything, rule("bash", "deny", "rm *")], everything)
    expect([may("bash", "rm a"), may("bash", "rm"), may("bash", "rmdir a")]).toEqual([
      "deny",
      "deny",
      "allow",
    ])
    const again = childOf([rule("bash", "deny", "rm *"), rule("bash", "allow", "rm **")], everything)
    expect(again("bash", "rm")).toBe("deny")
  })

  it("is denied in no more rules than say so", () => {
    const owner = [...everything, rule("edit", "allow"), rule("edit", "deny"), rule("read", "deny", "a")]
    expect(childRules([], agentOf("owner", owner), agentOf("general", everything), true)).toEqual([
      rule("edit", "deny"),
      rule("read", "deny", "a"),
      rule("todowrite", "deny"),
    ])
  })
})

describe("What an owner's agent is denied of talking and planning", () => {
  it.each(["question", "plan_enter", "plan_exit", "doom_loop", "todowrite"])(
    "is not denied to its child: %s says how a session talks or plans, not what it may touch",
    (name) => {
      const may = childOf([...everything, rule(name, "deny")], [...everything, rule(name, "allow")])
      expect(may(name)).toBe("allow")
    },
  )
})

it("An agent that the owner may not start, its child may not start either", () => {
  const owner = [...everything, rule("task", "deny"), rule("task", "allow", "helper")]
  const may = childOf(owner, [...everything, rule("task", "allow")], { mayStartJobs: true })
  expect(may("task", "scribe")).toBe("deny")
})

describe("The child of an owner in plan mode", () => {
  const plan = [...everything, rule("edit", "deny"), rule("edit", "allow", ".opencode/plans/*.md")]

  it("edits nothing, not even the plans that its owner may write", () => {
    const may = childOf(plan, everything)
    expect(may("edit", "src/a.ts")).toBe("deny")
    expect(may("edit", ".opencode/plans/a.md")).toBe("deny")
    expect(may("bash")).toBe("allow")
  })

  it("keeps what its own agent may not", () => {
    expect(childOf(plan, [...everything, rule("bash", "deny")])("bash")).toBe("deny")
  })
})

describe("What an owner's agent has to be asked for", () => {
  const careful = [...everything, rule("bash", "ask"), rule("bash", "allow", "git status*")]

  it("its child has to be asked for too, with the same exceptions", () => {
    const may = childOf(careful, everything)
    expect([may("bash", "rm a"), may("bash", "git status -s"), may("read")]).toEqual([
      "ask",
      "allow",
      "allow",
    ])
  })

  it("stays denied to a child whose agent is denied it, and asked where only that one has to be asked", () => {
    const may = childOf(careful, [...everything, rule("bash", "deny", "rm *"), rule("bash", "ask", "git *")])
    expect([may("bash", "rm a"), may("bash", "git status"), may("bash", "ls")]).toEqual([
      "deny",
      "ask",
      "ask",
    ])
  })

  it("is asked for in the child where only its owner's session says so", () => {
    expect(childOf(everything, everything, { session: [rule("webfetch", "ask")] })("webfetch")).toBe("ask")
  })

  it("is anything that no rule of its names", () => {
    const may = childOf([rule("read", "allow")], everything)
    expect([may("read"), may("bash")]).toEqual(["allow", "ask"])
  })

  it("is nothing once everything is allowed by the user's configuration, which comes last", () => {
    const owner = agentOf("build", [...everything, rule("bash", "ask"), rule("*", "allow")])
    expect(childRules([], owner, agentOf("general", everything), true)).toEqual([rule("todowrite", "deny")])
  })

  it("adds no rules where the child's agent has the same, as agents have by default", () => {
    const usual = [
      ...everything,
      rule("external_directory", "ask"),
      rule("external_directory", "allow", "/tmp/*"),
      rule("read", "ask", "*.env"),
      rule("read", "allow", "*.env.example"),
    ]
    const build = agentOf("build", [...usual, rule("question", "allow")])
    const general = agentOf("general", [...usual, rule("todowrite", "deny")])
    expect(childRules([], build, general, true)).toEqual([])
  })
})

describe("The child of an owner that may only do what is named", () => {
  const reader = [
    rule("*", "deny"),
    rule("read", "allow"),
    rule("bash", "ask"),
    rule("grep", "allow", "src*"),
  ]

  it("may do no more, whatever its agent may", () => {
    const may = childOf(reader, everything)
    expect([may("read"), may("bash"), may("edit")]).toEqual(["allow", "ask", "deny"])
    expect([may("grep", "src/a"), may("grep", "lib/a")]).toEqual(["allow", "deny"])
  })

  it("may do all that is named after everything was denied, and what was said before is of no account", () => {
    const owner = [
      rule("edit", "deny", "x*"),
      rule("bash", "allow"),
      rule("*", "deny"),
      rule("edit", "allow", "xa"),
    ]
    const may = childOf(owner, everything)
    expect([may("edit", "xa"), may("edit", "xb"), may("bash")]).toEqual(["allow", "deny", "deny"])
    const rules = childRules([], agentOf("owner", owner), agentOf("general", everything), true)
    expect(rules).toEqual([rule("*", "deny"), rule("edit", "allow", "xa"), rule("todowrite", "deny")])
  })

  it("may not do what is excepted from that, though its agent would only have to ask", () => {
    const owner = [rule("*", "deny"), rule("edit", "allow", "a*"), rule("edit", "deny", "ab")]
    const may = childOf(owner, [...everything, rule("edit", "ask", "a?")])
    expect([may("edit", "ab"), may("edit", "ac"), may("edit", "acd")]).toEqual(["deny", "ask", "allow"])
  })

  it("may still do what both its owner and its agent may, of which everything else is denied as well", () => {
    const may = childOf(reader, [rule("*", "deny"), rule("read", "allow"), rule("edit", "allow")])
    expect([may("read"), may("edit"), may("bash")]).toEqual(["allow", "deny", "deny"])
  })

  it("may do less where its agent may", () => {
    const may = childOf(reader, [...everything, rule("read", "ask"), rule("read", "deny", "*.env")])
    expect([may("read", "a.ts"), may("read", "b.env")]).toEqual(["ask", "deny"])
  })

  it("still has to ask where its agent has to", () => {
    const may = childOf(
      [rule("*", "deny"), rule("bash", "allow")],
      [...everything, rule("bash", "ask", "rm *")],
    )
    expect([may("bash", "ls"), may("bash", "rm a")]).toEqual(["allow", "ask"])
  })
})

/** What a child may in another directory, whose own configuration gives its agent `there`. */
function childElsewhere(here: PermissionRule[], added: PermissionRule[], there: PermissionRule[]) {
  const rules = [...there, ...rulesElsewhere({ rules: here }, added, { rules: there })]
  return (permission: string, pattern = "anything") => decided(rules, permission, pattern)
}

describe("A child that works in another directory", () => {
  it("is held to its owner's configuration where that of the directory lacks it", () => {
    const here = [...everything, rule("bash", "ask"), rule("bash", "allow", "ls *"), rule("webfetch", "deny")]
    const may = childElsewhere(here, [rule("agents_start", "deny")], everything)
    expect([may("bash"), may("bash", "ls -l"), may("webfetch"), may("agents_start"), may("edit")]).toEqual([
      "ask",
      "allow",
      "deny",
      "deny",
      "allow",
    ])
  })

  it("is held to that of the directory where it is the stricter one", () => {
    const may = childElsewhere(everything, [], [...everything, rule("edit", "deny", "secret/*")])
    expect([may("edit", "secret/key"), may("edit", "src/a"), may("bash")]).toEqual(["deny", "allow", "allow"])
  })

  it("may what it may at its owner where both are the same", () => {
    const agent = [
      ...everything,
      rule("doom_loop", "ask"),
      rule("external_directory", "ask"),
      rule("external_directory", "allow", "/data/tool-output/*"),
      rule("read", "ask", "*.env"),
      rule("read", "allow", "*.env.example"),
    ]
    const added = [rule("todowrite", "deny"), rule("edit", "ask")]
    const may = childElsewhere(agent, added, agent)
    for (const [permission, pattern] of [
      ["bash", "ls"],
      ["edit", "src/a"],
      ["todowrite", "*"],
      ["read", ".env"],
      ["read", ".env.example"],
      ["external_directory", "/data/tool-output/1"],
      ["external_directory", "/else"],
    ] as const)
      expect([permission, pattern, may(permission, pattern)]).toEqual([
        permission,
        pattern,
        decided([...agent, ...added], permission, pattern),
      ])
  })

  it("is given no more by a change of that configuration", () => {
    const here = [...everything, rule("bash", "ask")]
    const rules = rulesElsewhere({ rules: here }, [], { rules: here })
    expect(decided([...everything, ...rules], "bash", "rm")).toBe("ask")
  })
})

describe("Whatever the rules", () => {
  const names = ["edit", "bash", "*"]
  const patterns = ["*", "a*", "ab", "a?", "?b", "b", "a *", "a **", "a?*"]
  const rules = fc.array(
    fc.record<PermissionRule>({
      permission: fc.constantFrom(...names),
      pattern: fc.constantFrom(...patterns),
      action: fc.constantFrom<Action>("allow", "ask", "deny"),
    }),
    { maxLength: 5 },
  )
  const act = fc.record({
    permission: fc.constantFrom("edit", "bash", "read"),
    pattern: fc.constantFrom("a", "ab", "abc", "b", "c", "a b"),
  })
  const strictness: readonly Action[] = ["allow", "ask", "deny"]

  it("a child may not do what its owner may not", () => {
    fc.assert(
      fc.property(rules, rules, rules, act, (owner, session, child, { permission, pattern }) => {
        fc.pre(decided([...owner, ...session], permission, pattern) === "deny")
        expect(childOf(owner, child, { session })(permission, pattern)).toBe("deny")
      }),
      { numRuns: 2_000 },
    )
  })

  it("a child may not do unasked what its owner has to be asked for", () => {
    fc.assert(
      fc.property(rules, rules, rules, act, (owner, session, child, { permission, pattern }) => {
        const own = strictness.indexOf(decided([...owner, ...session], permission, pattern))
        const actual = strictness.indexOf(childOf(owner, child, { session })(permission, pattern))
        expect(actual).toBeGreaterThanOrEqual(own)
      }),
      { numRuns: 5_000 },
    )
  })

  it("a child elsewhere may do no more than it may at its owner, or than its agent may there", () => {
    fc.assert(
      fc.property(rules, rules, rules, act, (here, added, there, { permission, pattern }) => {
        const strictest = Math.max(
          strictness.indexOf(decided([...here, ...added], permission, pattern)),
          strictness.indexOf(decided(there, permission, pattern)),
        )
        const actual = strictness.indexOf(childElsewhere(here, added, there)(permission, pattern))
        expect(actual).toBeGreaterThanOrEqual(strictest)
      }),
      { numRuns: 5_000 },
    )
  })

  it("a child may do no more than its agent", () => {
    fc.assert(
      fc.property(rules, rules, rules, act, (owner, session, child, { permission, pattern }) => {
        const own = strictness.indexOf(decided(child, permission, pattern))
        const actual = strictness.indexOf(childOf(owner, child, { session })(permission, pattern))
        expect(actual).toBeGreaterThanOrEqual(own)
      }),
      { numRuns: 2_000 },
    )
  })
})
