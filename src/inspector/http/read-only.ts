import type { Source } from "../source.ts"
import { ApiError } from "./api-error.ts"

export const readOnlyWords = "the inspector is read-only (option inspector.readOnly)"

/** The guard knows only the inspector as a whole; each project may forbid more. */
export function refuseIfReadOnly({ readOnly }: Source): void {
  if (readOnly)
    throw new ApiError(405, "read-only", `For this project ${readOnlyWords}.`, { allow: "GET, HEAD" })
}
