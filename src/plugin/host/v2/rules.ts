import type { PermissionRule } from "../port.ts"
import type { Rule } from "./api.ts"

/** Where the two generations name the same permission otherwise: this product's name first. */
const names = [
  ["task", "subagent"],
  ["bash", "shell"],
] as const

export function decodeRule({ action, resource, effect }: Rule): PermissionRule {
  const permission = names.find(([, theirs]) => theirs === action)?.[0] ?? action
  return { permission, pattern: resource, action: effect }
}

export function encodeRule({ permission, pattern, action }: PermissionRule): Rule {
  return {
    action: names.find(([ours]) => ours === permission)?.[1] ?? permission,
    resource: pattern,
    effect: action,
  }
}
