import { address, hrefTo, VIEWS } from "../model/address.ts"
import { type Connection, connection, heardAt } from "../model/connection.ts"
import { asking, isReadOnly } from "../model/jobs.ts"
import { clockTime } from "../model/words.ts"
import { isHelpOpen } from "./help.tsx"
import { Search } from "./search.tsx"

export const viewNames = { overview: "Overview", jobs: "Jobs", timeline: "Timeline", actors: "Actors" }

const connectionWords: Record<Connection, string> = {
  connecting: "connecting",
  live: "live",
  reconnecting: "reconnecting",
  stale: "stale",
  refused: "link required",
}

export function Header() {
  return (
    <header>
      <a class="brand" aria-label="troupe" href={hrefTo({ view: "overview", job: "", q: "" })}>
        <img src="/icon.svg" alt="" width="24" height="24" />
        <span class="name-of-all">troupe</span>
      </a>
      <nav aria-label="Views">
        {VIEWS.map((view) => (
          <a
            key={view}
            href={hrefTo({ view, job: "" })}
            aria-current={address.value.view === view ? "page" : undefined}
          >
            {viewNames[view]}
            {view === "overview" && asking.value.length > 0 && <AskingCount />}
          </a>
        ))}
      </nav>
      <Search />
      {isReadOnly.value && <span class="note">read-only</span>}
      <span class={`connection is-${connection.value}`} role="status">
        <span aria-hidden="true" class="dot" />
        {connectionWords[connection.value]}
        {connection.value === "stale" && ` since ${clockTime(heardAt.value)}`}
        {connection.value === "reconnecting" && `, nothing heard since ${clockTime(heardAt.value)}`}
      </span>
      <span class="hidden" role="status">
        {askingWords(asking.value.length)}
      </span>
      <button
        type="button"
        class="plain"
        aria-label="Keyboard shortcuts and search"
        onClick={() => (isHelpOpen.value = true)}
      >
        ?
      </button>
    </header>
  )
}

const askingWords = (count: number) =>
  count === 0 ? "" : count === 1 ? "1 job waits for you" : `${count} jobs wait for you`

function AskingCount() {
  return (
    <span class="count">
      {asking.value.length}
      <span class="hidden"> {asking.value.length === 1 ? "waits" : "wait"} for you</span>
    </span>
  )
}
