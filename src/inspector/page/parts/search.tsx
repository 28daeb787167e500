import { address, go } from "../model/address.ts"

export const SEARCH_ID = "search"

export function Search() {
  return (
    <label class="search">
      <span class="hidden">Search jobs</span>
      <input
        id={SEARCH_ID}
        type="search"
        placeholder="Search: state:failed agent:general words"
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

/** A search shows in the list of jobs, wherever it was begun. */
function search(q: string): void {
  go({ q, view: "jobs", job: "" }, address.value.view === "jobs" ? "replace" : "push")
}
