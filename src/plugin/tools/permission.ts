import type { StartPermission } from "../host/port.ts"

export type RefusalWords = {
  /** Where a rule denies it. */
  denied: string
  /** What was asked for, where that is not plain from what stands around. */
  what?: string
}

/** Why something may not be done, as part of a sentence; nothing where it may. */
export function refusalOf(permission: StartPermission, { denied, what }: RefusalWords): string | undefined {
  switch (permission.type) {
    case "granted":
      return undefined
    case "denied":
      return denied
    case "rejected": {
      const { feedback } = permission
      return `the user refused${what ? ` ${what}` : ""}${feedback ? `: ${feedback}` : ""}`
    }
    case "prevented":
      return permission.reason
    case "failed":
      return `opencode did not say whether ${what ?? "it"} is permitted: ${permission.reason}`
  }
}
