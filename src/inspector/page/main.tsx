import { effect } from "@preact/signals"
import { render } from "preact"
import { visible } from "../../util/visible.ts"
import { onKey } from "./keys.ts"
import { noAccess } from "./model/access.ts"
import { address, onLinkClick } from "./model/address.ts"
import { connect, connection, heardAt, isCurrent, isOutdated } from "./model/connection.ts"
import { asking, findJob, freezeAt, tick } from "./model/jobs.ts"
import { Header, viewNames } from "./parts/header.tsx"
import { Help } from "./parts/help.tsx"
import { Gone, LinkRequired, Stale } from "./parts/no-access.tsx"
import { Actors } from "./views/actors.tsx"
import { Job } from "./views/job.tsx"
import { Jobs } from "./views/jobs.tsx"
import { Overview } from "./views/overview.tsx"
import { Timeline } from "./views/timeline.tsx"

function Page() {
  if (noAccess.value === "no-link") return <LinkRequired />
  return (
    <>
      <Header />
      {noAccess.value === "gone" && <Gone />}
      {connection.value === "stale" && <Stale />}
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
  const waiting = asking.value.length
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
setInterval(() => {
  // What is out of date grows no older.
  if (isCurrent.value) tick()
  else freezeAt(heardAt.value)
}, 1_000)
effect(() => {
  document.body.classList.toggle("is-stale", isOutdated.value)
})
void connect()
render(<Page />, document.body)
