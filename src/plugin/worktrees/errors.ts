import { beginning, oneLine } from "../../util/plain.ts"

/** Why git, or the place that it works in, did not do what was asked of it. */
export type WorktreeProblem =
  | "noGit"
  | "oldGit"
  | "noRepository"
  | "foreign"
  | "bare"
  | "noCommit"
  | "unmerged"
  | "submodules"
  | "noSpace"
  | "notWritable"
  | "locked"
  | "branchInTheWay"
  | "filter"
  | "timeout"
  | "interrupted"
  | "changed"
  | "moved"
  | "configuration"
  | "notOurs"
  | "gone"
  | "failed"

/** A refusal in words: what was wrong, and what to do about it. */
export class WorktreeError extends Error {
  override readonly name = "WorktreeError"
  readonly kind: WorktreeProblem
  readonly what: string
  readonly todo: string

  constructor(kind: WorktreeProblem, what: string, todo: string) {
    super(`${what}; ${todo}`)
    this.kind = kind
    this.what = what
    this.todo = todo
  }
}

/** Characters of git's own words that are shown. */
const shownLength = 300

/** What git itself writes for what a person has to do something about. The first that fits counts. */
const known: { pattern: RegExp; kind: WorktreeProblem; what: string; todo: string }[] = [
  {
    pattern: /No space left on device|Disk quota exceeded/i,
    kind: "noSpace",
    what: "the disk is full",
    todo: "make room on it and try again",
  },
  {
    pattern: /not a git repository|must be run in a work tree/i,
    // All that git adds is how it came to know.
    kind: "noRepository",
    what: "there is no git repository",
    todo: "run git init and commit something first, or leave out the isolation",
  },
  {
    pattern: /dubious ownership/i,
    kind: "foreign",
    what: "the repository belongs to another user, so that git does not work in it",
    todo: "if you trust it, allow it with git config --global --add safe.directory and its path",
  },
  {
    pattern: /(?:clean|smudge|external) filter|filter-process/i,
    kind: "filter",
    what: "a filter of the repository fails",
    todo: "install what its filter runs, or see .gitattributes and git config",
  },
  {
    pattern: /Permission denied|Read-only file system|insufficient permission|Operation not permitted/i,
    kind: "notWritable",
    what: "a file cannot be read or written",
    todo: "let this user read the project and write to its .git folder",
  },
  {
    pattern: /'refs\/heads\/[^']+' exists; cannot create/,
    kind: "branchInTheWay",
    what: "a branch has a name that those of jobs are to begin with",
    todo: "rename that branch",
  },
  {
    pattern: /is at [0-9a-f]+ but expected|reference already exists|unable to resolve reference/,
    kind: "changed",
    what: "somebody else has moved a branch just now",
    todo: "try again",
  },
  {
    pattern: /Unable to create '.*\.lock'|cannot lock ref|could not lock/i,
    kind: "locked",
    what: "another git process holds a lock in the repository",
    todo: "wait until it has ended; remove the lock file where none runs",
  },
  {
    // Where a disk is full, git often keeps to itself why it could not write.
    pattern: /Out of diskspace|unable to write|could(?: not|n't) write/i,
    kind: "noSpace",
    what: "git could not write, as when the disk is full",
    todo: "make room on it and try again",
  },
]

/** The error for a git that has ended with a code that nobody expected. */
export function gitFailure(command: string, code: number, stderr: string): WorktreeError {
  const said = saidBy(stderr)
  const cause = known.find(({ pattern }) => pattern.test(stderr))
  const words = said === "" ? `git ${command} ended with code ${code}` : `git ${command}: ${said}`
  if (cause?.kind === "noRepository") return new WorktreeError(cause.kind, cause.what, cause.todo)
  if (cause) return new WorktreeError(cause.kind, `${cause.what} (${words})`, cause.todo)
  return new WorktreeError("failed", words, "see what git says and try again")
}

/** The error for what the file system, not git, has refused. */
export function fileFailure(error: unknown): WorktreeError {
  if (error instanceof WorktreeError) return error
  const words = error instanceof Error ? error.message : String(error)
  const code = codeOf(error)
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new WorktreeError("noSpace", `the disk is full (${words})`, "make room on it and try again")
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new WorktreeError("notWritable", words, "let this user write there")
  }
  return new WorktreeError("failed", words, "try again")
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
}

/** Errors first: warnings and progress stand around them. */
function saidBy(stderr: string): string {
  const lines = stderr.split("\n")
  const errors = lines.filter((line) => /^(?:fatal|error):/.test(line))
  return beginning(oneLine((errors.length > 0 ? errors : lines).join(" ")), shownLength)
}
