/**
 * How `opencode run` answers each permission request; nothing where a person does. It hears those of its own directory
 * alone, so that for children that work elsewhere the answer has to be given in its place: they would wait for ever.
 * @param argv as in `process.argv`
 */
export function unattendedDecision(argv: readonly string[]): "once" | "reject" | undefined {
  const has = (...names: string[]) => names.some((name) => argv.includes(name))
  if (!isRun(argv) || has("--interactive", "-i", "--mini")) return undefined
  return has("--auto", "--yolo", "--dangerously-skip-permissions") ? "once" : "reject"
}

/** Whether this is `opencode run`, which ends when the main turn does. */
export const isRun = (argv: readonly string[]): boolean => argv.slice(1).includes("run")
