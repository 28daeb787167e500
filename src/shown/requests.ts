/** A permission request or a question in full. All texts are foreign. */
export type Request = PermissionRequest | QuestionRequest

/** `session`: the one that asks, a job's or one below it. */
type Asking = { id: string; session: string }

export type PermissionRequest = Asking & {
  kind: "permission"
  /** `bash` */
  action: string
  /** What it is for: the command, the change. */
  parts: readonly Part[]
  /** What `always` would allow from now on. */
  always: readonly string[]
}

/** `title`: of what it is, where that has to be told. Both are foreign. */
export type Part = { title: string; text: string }

export type QuestionRequest = Asking & { kind: "question"; questions: readonly Question[] }

export type Question = {
  key: string
  title: string
  text: string
  choices: readonly Choice[]
  /** Several of them may be chosen. */
  isMultiple: boolean
  /** The person may write an answer of their own. */
  takesText: boolean
}

export type Choice = { value: string; label: string; description?: string | undefined }

export type Decision = "once" | "always" | "reject"

export type Answer =
  /** `message`: what the child is told with a refusal. */
  | { kind: "decision"; decision: Decision; message?: string }
  /** By the questions' keys. */
  | { kind: "answers"; answers: Readonly<Record<string, readonly string[]>> }
  | { kind: "dismissal" }
