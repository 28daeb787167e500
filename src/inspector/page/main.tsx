import { effect } from "@preact/signals"
import { render } from "preact"
import { onKey } from "./keys.ts"
import { address, onLinkClick } from "./model/address.ts"
import { connect, connection, linkCommand } from "./model/connection.ts"
import { findJob, needy, tick } from "./model/jobs.ts"
import { visible } from "./model/visible.ts"
import { Header, viewNames } from "./parts/header.tsx"
import { Help } from "./parts/help.tsx"
import { Actors } from "./views/actors.tsx"
import { Job } from "./views/job.tsx"
import { Jobs } from "./views/jobs.tsx"
import { Overview } from "./views/overview.tsx"
import { Timeline } from "./views/timeline.tsx"

function Page() {
  return (
    <>
      <Header />
      {connection.value === "refused" && (
        <p class="banner" role="alert">
          opencode was restarted, and its inspector no longer accepts this tab. For a fresh link, run:{" "}
          <code>{linkCommand.value}</code>
        </p>
      )}
      <View />
      <Help />
    </>
  )
}

function View() {
  const { view, job } = address.value
  if (job !== "") return <Job key={job} address={job} />
  switch (view) {
    case "jobs":
      return <Jobs />
    case "timeline":
      return <Timeline />
    case "actors":
      return <Actors />
    case "overview":
      return <Overview />
  }
}

effect(() => {
  const waiting = needy.value.length
  document.title = [...(waiting > 0 ? [`(${waiting})`] : []), ...placeWords(), "opencode-troupe"].join(" ")
})

/** In the title, so that tabs and history entries can be told apart. */
function placeWords(): string[] {
  const { view, job } = address.value
  const open = job === "" ? undefined : findJob(job)
  if (open) return [`${open.id}: ${visible(open.description).slice(0, 80)} ·`]
  return view === "overview" ? [] : [`${viewNames[view]} ·`]
}

document.addEventListener("click", onLinkClick)
document.addEventListener("keydown", onKey)
setInterval(tick, 1_000)
connect()
render(<Page />, document.body)
