/** A file that a session has changed. All texts are foreign. */
export type ChangedFile = {
  path: string
  additions: number
  deletions: number
  /** As git writes it. */
  diff?: string | undefined
}
