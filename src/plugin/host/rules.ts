import type { PermissionRule } from "./port.ts"

/** What a rule is about. */
export type Cases = Omit<PermissionRule, "action">

/** What opencode does where no rule matches. */
export const unnamed: PermissionRule = { permission: "*", pattern: "*", action: "ask" }

/** What the rules say of all that this one is about. */
export function verdict(
  rules: readonly PermissionRule[],
  { permission, pattern }: Cases,
): PermissionRule["action"] {
  return rules.findLast((rule) => isWithin({ permission, pattern }, rule))?.action ?? unnamed.action
}

/** Whether the wide one is about all that the narrow one is about. */
export const isWithin = (narrow: Cases, wide: Cases) =>
  covers(wide.permission, narrow.permission) && covers(wide.pattern, narrow.pattern)

/**
 * Whether all that `narrow` matches is matched by `wide`: a `*` in the former is only by one in the latter. As in
 * opencode, `ls *` matches `ls` too.
 */
export function covers(wide: string, narrow: string): boolean {
  if (wide === "*" || wide === narrow) return true
  if (!hasWildcard(wide)) return false
  const source = wide
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, "[^*]")
    .replace(/ \.\*$/, "( .*)?")
  const all = new RegExp(`^${source}$`, "s")
  return all.test(narrow) && all.test(narrow.replace(/ \*$/, ""))
}

/** Whether it stands for more than itself. */
export const hasWildcard = (text: string) => /[*?]/.test(text)
