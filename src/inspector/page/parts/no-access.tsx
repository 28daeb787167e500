import { linkCommand } from "../model/access.ts"
import { heardAt } from "../model/connection.ts"
import { dateTime } from "../model/words.ts"
import { Copy } from "./copy.tsx"

/** All there is to see for somebody who has followed no link, or a used one. */
export function LinkRequired() {
  return (
    <main class="link-required">
      <h1>This requires a fresh link</h1>
      <p>
        A link to the inspector is valid once, for ten minutes. Yours has expired or been used already, or
        there was none.
      </p>
      <p>For a fresh link, run this in a terminal on the machine where opencode runs:</p>
      <p>
        <LinkCommand />
      </p>
    </main>
  )
}

function LinkCommand() {
  return (
    <>
      <code>{linkCommand.value}</code> <Copy name="Copy" text={() => linkCommand.value} isSmall />
    </>
  )
}

/** Above what was last known, while nothing is heard. */
export function Stale() {
  return (
    <p class="banner" role="alert">
      Nothing has been heard since {dateTime(heardAt.value)}: everything below is as it was then. This page
      keeps trying. If opencode has ended or hangs, start it again in the same project and follow a fresh
      link, which this prints: <LinkCommand />
    </p>
  )
}

/** Above what was last known. */
export function Gone() {
  return (
    <p class="banner" role="alert">
      opencode was restarted, and its inspector no longer accepts this tab. For a fresh link, run:{" "}
      <LinkCommand />
    </p>
  )
}
