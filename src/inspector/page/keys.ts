import { address, go, VIEWS } from "./model/address.ts"
import { cursor, isFocusDue } from "./model/cursor.ts"
import { asking } from "./model/jobs.ts"
import {
  isFolded,
  neighbour,
  neighbourJob,
  ownerKey,
  ownerOf,
  rowKey,
  rowOf,
  rows,
  toggleFold,
} from "./model/list.ts"
import { addressOf } from "./model/words.ts"
import { isHelpOpen } from "./parts/help.tsx"
import { CANCEL_ID, SEND_ID } from "./parts/job-actions.tsx"
import { SEARCH_ID } from "./parts/search.tsx"

/** The keyboard shortcuts. Not while somebody types, nor in dialogs. */
export function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (document.querySelector("dialog[open]")) return
  const target = event.target instanceof HTMLElement ? event.target : document.body
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
      return move(1)
    case "k":
      return move(-1)
    // In a job the arrow keys scroll.
    case "ArrowDown":
      return address.value.job === "" && move(1)
    case "ArrowUp":
      return address.value.job === "" && move(-1)
    case "ArrowLeft":
      return fold(true)
    case "ArrowRight":
      return fold(false)
    case "Enter":
      // A focused link or button opens itself, unless the focus has not caught up with the cursor.
      return (isFocusDue.value || !target.matches("a, button, summary")) && openRow()
    case "n":
      return nextAsking()
    case "c":
      return press(CANCEL_ID)
    case "f":
      return press(SEND_ID)
    case "Escape":
      if (address.value.job === "") return clearSearch()
      go({ job: "" })
      isFocusDue.value = address.value.view === "jobs" && rowOf(cursor.value) >= 0
      return true
    default:
      return showView(Number(key))
  }
}

/** In the list the cursor moves, in a job the next job opens, elsewhere the focus moves from job to job. */
function move(step: 1 | -1): boolean {
  const { view, job } = address.value
  if (job !== "") {
    const next = neighbourJob(job, step)
    if (next) go({ job: addressOf(next) }, "replace")
    return next !== undefined
  }
  if (view !== "jobs") return moveFocus(step)
  const next = neighbour(cursor.value, step)
  if (next) moveCursor(rowKey(next))
  return next !== undefined
}

/** From the open job to the next one that waits for an answer, and around. */
function nextAsking(): boolean {
  const jobs = asking.value.map(({ job }) => job)
  const at = jobs.findIndex((job) => addressOf(job) === address.value.job)
  const next = jobs[(at + 1) % jobs.length]
  if (next) go({ job: addressOf(next) })
  return next !== undefined
}

function clearSearch(): boolean {
  const { view, q } = address.value
  if (view !== "jobs" || q === "") return false
  go({ q: "" })
  return true
}

function press(id: string): boolean {
  const button = document.getElementById(id)
  button?.click()
  return button !== null
}

function moveCursor(key: string): void {
  cursor.value = key
  isFocusDue.value = true
}

function moveFocus(step: 1 | -1): boolean {
  const links = [...document.querySelectorAll<HTMLElement>("main :is(.job-link, .lanes a, .tree a)")]
  const focused = document.activeElement
  const at = focused instanceof HTMLElement ? links.indexOf(focused) : -1
  const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step
  links[Math.min(links.length - 1, Math.max(0, next))]?.focus()
  return links.length > 0
}

/** As in any tree: left collapses the branch and moves to its head, right expands it. */
function fold(isFolding: boolean): boolean {
  const { view, job } = address.value
  const row = view === "jobs" && job === "" ? rows.value[rowOf(cursor.value)] : undefined
  if (!row || address.value.list === "flat") return false
  const owner = ownerOf(row)
  if (isFolded(owner) === isFolding) return false
  toggleFold(owner)
  moveCursor(ownerKey(owner))
  return true
}

function openRow(): boolean {
  const row = address.value.view === "jobs" ? rows.value[rowOf(cursor.value)] : undefined
  if (!row) return false
  if (row.kind === "owner") toggleFold(row.owner)
  else if (row.kind === "job") go({ job: addressOf(row.job) })
  return true
}

function showView(number: number): boolean {
  const view = VIEWS[number - 1]
  if (!view) return false
  go({ view, job: "" })
  return true
}
