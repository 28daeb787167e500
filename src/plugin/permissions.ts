import type { Agent, PermissionRule } from "./host.ts"

type Action = PermissionRule["action"]

/** Permissions that say how a session talks to its user or plans, not what it may touch. */
const manners = new Set(["question", "plan_enter", "plan_exit", "doom_loop", "task", "todowrite"])

/**
 * The rules for a child session: what opencode's own `task` gives its children, and whatever the owner's agent is
 * denied. Session rules stand behind the child agent's own, and the last match wins.
 */
export function childRules(
  ownerSession: readonly PermissionRule[],
  ownerAgent: Agent | undefined,
  childAgent: Agent,
  mayStartJobs: boolean,
): PermissionRule[] {
  const inherited = ownerSession.filter(
    ({ permission, action }) => permission === "external_directory" || action === "deny",
  )
  // Starting jobs asks for `task`: a child that may start some is not denied it for all agents.
  const unasked = ["todowrite", ...(mayStartJobs ? [] : ["task"])]
    .filter((name) => !childAgent.permission.some(({ permission }) => permission === name))
    .map((permission): PermissionRule => ({ permission, pattern: "*", action: "deny" }))
  return [...ceiling(ownerAgent?.permission ?? [], childAgent.permission), ...inherited, ...unasked]
}

/** What keeps a child from doing what its owner's agent may not: a plan-mode owner gets no child that edits. */
function ceiling(owner: readonly PermissionRule[], child: readonly PermissionRule[]): PermissionRule[] {
  const rules = owner.filter(({ permission }) => !manners.has(permission))
  const denies = rules.filter(
    ({ permission, pattern, action }) => action === "deny" && evaluate(rules, permission, pattern) === "deny",
  )
  if (!denies.some(({ permission }) => permission === "*")) return denies
  // The owner may only do what is named: the same for the child, less what the child's agent itself may not.
  const from = rules.findIndex(({ permission, action }) => permission === "*" && action === "deny")
  const named = rules.slice(from).map((rule) => ({
    ...rule,
    action: stricter(rule.action, evaluate(child, rule.permission, rule.pattern)),
  }))
  return [...named, ...child.filter(({ action }) => action === "deny")]
}

function evaluate(rules: readonly PermissionRule[], permission: string, pattern: string): Action {
  return (
    rules.findLast((rule) => matches(rule.permission, permission) && matches(rule.pattern, pattern))
      ?.action ?? "ask"
  )
}

const strictness: readonly Action[] = ["allow", "ask", "deny"]
const stricter = (a: Action, b: Action): Action => (strictness.indexOf(a) > strictness.indexOf(b) ? a : b)

function matches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".")
  return new RegExp(`^${source}$`, "s").test(text)
}
