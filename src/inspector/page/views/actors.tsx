import { useSignal } from "@preact/signals"
import { useEffect } from "preact/hooks"
import type { ActorAnswer } from "../../http/api.ts"
import { hrefTo } from "../model/address.ts"
import { loadActors } from "../model/api.ts"
import { counts, now } from "../model/jobs.ts"
import { Heading } from "../parts/heading.tsx"
import { Words } from "../parts/words.tsx"

/** How often the tree is asked for again while nothing changes, milliseconds. */
const pace = 5_000

/** The supervision tree: who answers for whom, now. */
export function Actors() {
  const tree = useSignal<ActorAnswer | undefined>(undefined)
  const changed = Object.values(counts.value).join()
  const turn = Math.floor(now.value / pace)
  useEffect(() => {
    // A connection that broke says so in the header.
    loadActors().then(
      (loaded) => (tree.value = loaded),
      () => {},
    )
  }, [changed, turn, tree])
  return (
    <main class="actors">
      <Heading>Actors</Heading>
      <p class="quiet">What lives now. Jobs that have ended are records, not actors.</p>
      {tree.value && (
        <ul class="tree">
          <Actor actor={tree.value} />
        </ul>
      )}
    </main>
  )
}

function Actor({ actor }: { actor: ActorAnswer }) {
  const numbers = Object.entries(actor.counts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${name} ${count}`)
  return (
    <li>
      <span class={`actor is-${actor.kind}`}>
        <span class="quiet">{actor.kind}</span>{" "}
        {actor.session === undefined ? (
          <Words text={actor.id} />
        ) : (
          <a href={hrefTo({ job: actor.session })}>{actor.id}</a>
        )}{" "}
        <code>{actor.state}</code> <span class="quiet">{numbers.join(" · ")}</span>
      </span>
      {actor.children.length > 0 && (
        <ul>
          {actor.children.map((child) => (
            <Actor key={`${child.kind} ${child.id}`} actor={child} />
          ))}
        </ul>
      )}
    </li>
  )
}
