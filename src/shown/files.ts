/** A file that a session has changed. All texts are foreign. */
export type ChangedFile = {
  path: string
  /** Lines; absent where opencode does not say. */
  additions?: number | undefined
  deletions?: number | undefined
  /** As git writes it; of several changes one after the other. */
  diff?: string | undefined
  /** There is a diff, and no room for it. */
  isCut?: true
  /** It changed while the session worked, but by none of its calls that name files: a command did it, or somebody else. */
  isMeanwhile?: true
}

/** `why`: a sentence that says why they may not be all. */
export type ChangedFiles = { files: ChangedFile[]; why?: string | undefined }
