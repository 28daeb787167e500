import type { Key, Shortcuts } from "../terminal.ts"

/**
 * How the keys of a dialog's commands are written, without those that do something else there: a person may have given
 * opencode's own command a key of ours. Of two commands with one key the first is run.
 */
export const ownShortcuts =
  (keys: readonly Pick<Key, "id">[], shortcuts: Shortcuts): Shortcuts =>
  (id) => {
    const before = keys.slice(
      0,
      keys.findIndex((key) => key.id === id),
    )
    const taken = before.flatMap((key) => shortcuts(key.id).split(/, ?/))
    return shortcuts(id)
      .split(/, ?/)
      .filter((key) => !taken.includes(key))
      .join(",")
  }
