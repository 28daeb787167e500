import { signal } from "@preact/signals"
import { address, go } from "../model/address.ts"
import { prepareSearch } from "../model/list.ts"

export const SEARCH_ID = "search"

/** Pause after which what was typed is searched for, milliseconds: thousands of jobs take longer than a letter. */
const pause = 120

/** What has been typed and is not yet in the address. */
const typed = signal<string | undefined>(undefined)
let due: ReturnType<typeof setTimeout> | undefined

export function Search() {
  return (
    <label class="search">
      <span class="hidden">Search jobs</span>
      <input
        id={SEARCH_ID}
        type="search"
        placeholder="Search words, state:failed, agent:general"
        autocomplete="off"
        spellcheck={false}
        value={typed.value ?? address.value.q}
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onFocus={prepareSearch}
        onBlur={search}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
    </label>
  )
}

function type(text: string): void {
  typed.value = text
  clearTimeout(due)
  due = setTimeout(search, pause)
}

/** A search always leads to the list of jobs. */
function search(): void {
  clearTimeout(due)
  const q = typed.value
  typed.value = undefined
  if (q !== undefined && q !== address.value.q)
    go({ q, view: "jobs", job: "" }, address.value.view === "jobs" ? "replace" : "push")
}
