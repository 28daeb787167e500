import { address, go } from "../model/address.ts"

export const SEARCH_ID = "search"

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
        value={address.value.q}
        onInput={({ currentTarget }) => search(currentTarget.value)}
      />
      <span class="key" aria-hidden="true">
        /
      </span>
    </label>
  )
}

/** A search always leads to the list of jobs. */
function search(q: string): void {
  go({ q, view: "jobs", job: "" }, address.value.view === "jobs" ? "replace" : "push")
}
