import type { HostAgent, PermissionRule } from "../host/port.ts"
import { type Cases, covers, hasWildcard, isWithin, unnamed, verdict } from "../host/rules.ts"

type Action = PermissionRule["action"]

/** Permissions about how a session talks and plans, not about what it may touch: a child has its own. */
const notInherited = new Set(["question", "plan_enter", "plan_exit", "doom_loop", "todowrite"])

/**
 * The rules for a child session: what opencode's own `task` gives its children, and what keeps it within what its
 * owner may. Session rules stand behind the child agent's own, and the last match wins.
 */
export function childRules(
  ownerSession: readonly PermissionRule[],
  ownerAgent: HostAgent | undefined,
  childAgent: Pick<HostAgent, "rules">,
  mayStartJobs: boolean,
): PermissionRule[] {
  const inherited = ownerSession.filter(
    ({ permission, action }) => permission === "external_directory" || action === "deny",
  )
  // Starting jobs asks for `task`: a child that may start some is not denied it for all agents.
  const unasked = ["todowrite", ...(mayStartJobs ? [] : ["task"])]
    .filter((name) => !childAgent.rules.some(({ permission }) => permission === name))
    .map((permission): PermissionRule => ({ permission, pattern: "*", action: "deny" }))
  const capped = ceiling(ownerRules(ownerSession, ownerAgent), childAgent.rules).filter(
    (rule) => !inherited.some((each) => isSame(each, rule)),
  )
  return [...capped, ...inherited, ...unasked]
}

/**
 * The rules for a child session that works in another directory than its owner, whose configuration may lack rules or
 * have others: all that holds for it at its owner holds there, and what is stricter there as well. They name every
 * case, so that no change of that configuration permits more.
 * @param here of its agent where its owner is
 * @param rules what `childRules` gives for that agent
 * @param there of its agent in the other directory
 */
export function rulesElsewhere(
  here: Pick<HostAgent, "rules">,
  rules: readonly PermissionRule[],
  there: Pick<HostAgent, "rules">,
): PermissionRule[] {
  const atOwner = inEffect([unnamed, ...here.rules, ...rules])
  return [...atOwner, ...addedFor(there, atOwner)]
}

/** What has a child do no more than an agent may: nothing where it does no more. */
export function addedFor(
  agent: Pick<HostAgent, "rules">,
  child: readonly PermissionRule[],
): PermissionRule[] {
  return ceiling(inEffect([unnamed, ...agent.rules]), child)
}

/** Whether it may do anything that its owner may not, or without the question that its owner would cause. */
export function exceedsOwner(
  ownerSession: readonly PermissionRule[],
  ownerAgent: HostAgent | undefined,
  child: readonly PermissionRule[],
): boolean {
  return exceeds(ownerRules(ownerSession, ownerAgent), child)
}

/** What an owner may, as far as it concerns its children. The last match wins. */
function ownerRules(session: readonly PermissionRule[], agent: HostAgent | undefined): PermissionRule[] {
  const ofAgent = agent?.rules ?? [{ ...unnamed, action: "allow" as const }]
  const all = [...ofAgent, ...session.filter(({ permission }) => permission !== "external_directory")]
  const rules = inEffect([unnamed, ...all.filter(({ permission }) => !notInherited.has(permission))])
  return withoutExceptions(rules)
}

/**
 * What is denied is denied as a whole: an exception from it, like the plans that an agent in plan mode may write, is
 * not the child's. Where everything is denied, what follows is not an exception but all that there is.
 */
function withoutExceptions(rules: readonly PermissionRule[]): PermissionRule[] {
  const kept: PermissionRule[] = []
  for (const rule of rules) {
    const denial = kept.findLast(
      ({ permission, pattern, action }) =>
        action === "deny" && permission !== "*" && isWithin(rule, { permission, pattern }),
    )
    if (!denial) kept.push(rule)
    else if (
      kept.slice(kept.indexOf(denial)).some((each) => each.action !== "deny" && mayOverlap(each, rule))
    )
      kept.push({ ...rule, action: "deny" })
  }
  return kept
}

/** Without those whose every case a later one decides. */
function inEffect(rules: readonly PermissionRule[]): PermissionRule[] {
  return rules.filter((rule, index) => !rules.slice(index + 1).some((later) => isWithin(rule, later)))
}

/** Rules that, behind the child's own, decide each case as the stricter of the two does. */
function ceiling(owner: readonly PermissionRule[], child: readonly PermissionRule[]): PermissionRule[] {
  if (!exceeds(owner, child)) return []
  const added: PermissionRule[] = []
  const crossing: PermissionRule[] = []
  const first = owner.findIndex(({ action }) => action !== "allow")
  for (const rule of owner.slice(first)) {
    const { decided, exceptions } = decidedBy(child, rule)
    added.push({ ...rule, action: stricter(rule.action, decided) })
    if (rule.action === "deny") continue
    for (const each of exceptions) {
      if (isWithin(each, rule)) added.push({ ...each, action: stricter(rule.action, each.action) })
      else if (isStricter(each.action, rule.action)) crossing.push(each)
    }
  }
  if (crossing.length === 0) return added
  // Where a rule of the child is only in part about what the owner's is about, it holds as a whole, and no exception
  // from a denial does: few have such rules, and in doubt less is permitted.
  const denials = [...owner, ...inEffect(child)].filter(({ action }) => action === "deny")
  return [...added, ...crossing, ...denials]
}

/** In doubt it does. */
function exceeds(owner: readonly PermissionRule[], child: readonly PermissionRule[]): boolean {
  return owner.some((rule) => {
    const { decided, exceptions } = decidedBy(child, rule)
    if (isStricter(rule.action, decided)) return true
    return exceptions.some((each) =>
      isStricter(isWithin(each, rule) ? verdict(owner, each) : rule.action, each.action),
    )
  })
}

/** What these rules say of all that this one is about, and those after that which say something else of a part. */
function decidedBy(rules: readonly PermissionRule[], rule: PermissionRule) {
  const at = rules.findLastIndex((each) => isWithin(rule, each))
  const exceptions = rules.slice(at + 1).filter((each) => mayOverlap(each, rule))
  return { decided: rules[at]?.action ?? unnamed.action, exceptions }
}

const strictness: readonly Action[] = ["allow", "ask", "deny"]

const isStricter = (a: Action, b: Action) => strictness.indexOf(a) > strictness.indexOf(b)

const stricter = (a: Action, b: Action): Action => (isStricter(b, a) ? b : a)

const isSame = (a: PermissionRule, b: PermissionRule) =>
  a.permission === b.permission && a.pattern === b.pattern && a.action === b.action

/** In doubt they do. */
const mayOverlap = (a: Cases, b: Cases) =>
  mayShare(a.permission, b.permission) && mayShare(a.pattern, b.pattern)

/** Whether both can match the same text: their beginnings and ends, without wildcards, have to go together. */
function mayShare(a: string, b: string): boolean {
  if (covers(a, b) || covers(b, a)) return true
  if (!hasWildcard(a) || !hasWildcard(b)) return false
  const [start, otherStart] = [a, b].map((each) => each.split(/ ?[*?]/)[0] ?? "")
  const [end, otherEnd] = [a, b].map((each) => each.split(/[*?]/).at(-1) ?? "")
  return (
    isPartOf(start, otherStart, (one, other) => one.startsWith(other)) &&
    isPartOf(end, otherEnd, (one, other) => one.endsWith(other))
  )
}

const isPartOf = (a = "", b = "", has: (text: string, part: string) => boolean) => has(a, b) || has(b, a)
