import type { HostAgent, PermissionRule } from "../host/port.ts"

type Action = PermissionRule["action"]

/** Permissions about how a session talks and plans, not about what it may touch: a child has its own. */
const notInherited = new Set(["question", "plan_enter", "plan_exit", "doom_loop", "todowrite"])

/**
 * The rules for a child session: what opencode's own `task` gives its children, and whatever the owner's agent is
 * denied. Session rules stand behind the child agent's own, and the last match wins.
 */
export function childRules(
  ownerSession: readonly PermissionRule[],
  ownerAgent: HostAgent | undefined,
  childAgent: HostAgent,
  mayStartJobs: boolean,
): PermissionRule[] {
  const inherited = ownerSession.filter(
    ({ permission, action }) => permission === "external_directory" || action === "deny",
  )
  // Starting jobs asks for `task`: a child that may start some is not denied it for all agents.
  const unasked = ["todowrite", ...(mayStartJobs ? [] : ["task"])]
    .filter((name) => !childAgent.rules.some(({ permission }) => permission === name))
    .map((permission): PermissionRule => ({ permission, pattern: "*", action: "deny" }))
  const capped = ownerAgent ? ceiling(ownerAgent.rules, childAgent.rules) : []
  return [...capped, ...inherited, ...unasked]
}

/** What keeps a child from doing what its owner's agent may not: a plan-mode owner gets no child that edits. */
function ceiling(owner: readonly PermissionRule[], child: readonly PermissionRule[]): PermissionRule[] {
  const rules = owner.filter(({ permission }) => !notInherited.has(permission))
  const denies = rules.filter((rule) => rule.action === "deny" && verdict(rules, rule) === "deny")
  const from = rules.findLastIndex(
    ({ permission, pattern, action }) => permission === "*" && pattern === "*" && action === "deny",
  )
  if (from < 0) return denies
  // The owner may only do what is named: the same for the child, less what the child's agent itself may not or has
  // to ask for.
  const named = rules.slice(from).map((rule) => stricterBy(child, rule))
  const careful = child.filter(({ action }) => action !== "allow").map((rule) => stricterBy(rules, rule))
  return [...named, ...careful, ...denies.filter((rule) => rules.indexOf(rule) > from)]
}

const stricterBy = (rules: readonly PermissionRule[], rule: PermissionRule): PermissionRule => ({
  ...rule,
  action: stricter(rule.action, verdict(rules, rule)),
})

/** What the rules say of all that this one is about. */
export function verdict(
  rules: readonly PermissionRule[],
  { permission, pattern }: Omit<PermissionRule, "action">,
): Action {
  return (
    rules.findLast((rule) => covers(rule.permission, permission) && covers(rule.pattern, pattern))?.action ??
    "ask"
  )
}

const stricter = (a: Action, b: Action): Action => (a === "deny" || b === "allow" ? a : b)

/**
 * Whether all that `narrow` matches is matched by `wide`: a `*` in the former is only by one in the latter. As in
 * opencode, `ls *` matches `ls` too.
 */
function covers(wide: string, narrow: string): boolean {
  const source = wide
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, "[^*]")
    .replace(/ \.\*$/, "( .*)?")
  const all = new RegExp(`^${source}$`, "s")
  return all.test(narrow) && all.test(narrow.replace(/ \*$/, ""))
}
