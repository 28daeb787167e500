import { isHelpOpen } from "../parts/help.tsx"
import { SEARCH_ID } from "../parts/search.tsx"
import { address, go, VIEWS } from "./address.ts"
import { cursor } from "./cursor.ts"
import { neighbour } from "./list.ts"
import { addressOf } from "./words.ts"

/** The keys of the whole page. Where somebody types, and in dialogs, keys are letters. */
export function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (document.querySelector("dialog[open]")) return
  const target = event.target as HTMLElement
  if (target.matches("input, textarea, select")) {
    if (event.key === "Escape" || event.key === "Enter") target.blur()
    return
  }
  if (act(event.key, target)) event.preventDefault()
}

function act(key: string, target: HTMLElement): boolean {
  switch (key) {
    case "/":
      document.getElementById(SEARCH_ID)?.focus()
      return true
    case "?":
      isHelpOpen.value = true
      return true
    case "j":
    case "ArrowDown":
      return move(1)
    case "k":
    case "ArrowUp":
      return move(-1)
    case "Enter":
      // A focused link or button opens itself.
      if (target.matches("a, button, summary") || cursor.value === "") return false
      go({ job: cursor.value })
      return true
    case "Escape":
      if (address.value.job === "") return false
      go({ job: "" })
      return true
    default:
      return showView(Number(key))
  }
}

/** In the list the cursor moves; in a job the next one opens. */
function move(step: 1 | -1): boolean {
  const { view, job } = address.value
  if (job === "" && view !== "jobs") return false
  const next = neighbour(job || cursor.value, step)
  if (!next) return false
  cursor.value = addressOf(next)
  if (job !== "") go({ job: cursor.value }, "replace")
  return true
}

function showView(number: number): boolean {
  const view = VIEWS[number - 1]
  if (!view) return false
  go({ view, job: "" })
  return true
}
