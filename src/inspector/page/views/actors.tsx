import { useSignal } from "@preact/signals"
import { useEffect } from "preact/hooks"
import type { ActorAnswer } from "../../http/api.ts"
import { countWords, isInTrouble, kindMeanings, kindsIn, stateOf } from "../model/actors.ts"
import { hrefTo } from "../model/address.ts"
import { loadActors } from "../model/api.ts"
import { counts, findJob, now, titles } from "../model/jobs.ts"
import { placeIn } from "../model/words.ts"
import { Heading } from "../parts/heading.tsx"
import { StateBadge } from "../parts/state-badge.tsx"
import { Words } from "../parts/words.tsx"

/** How often the tree is loaded again while no job changes, milliseconds. */
const pace = 5_000

/** The supervision tree: the actors that are alive now, each under the one that answers for it. */
export function Actors() {
  const tree = useSignal<ActorAnswer | undefined>(undefined)
  const changed = Object.values(counts.value).join()
  const turn = Math.floor(now.value / pace)
  useEffect(() => {
    // The header says when the connection is broken.
    loadActors().then(
      (loaded) => (tree.value = loaded),
      () => {},
    )
  }, [changed, turn, tree])
  return (
    <main class="actors">
      <Heading>Actors</Heading>
      <p class="quiet">What is alive now. A job that has ended is a record, not an actor.</p>
      {tree.value && (
        <>
          <ul class="tree">
            <Actor actor={tree.value} parent="" />
          </ul>
          <Legend tree={tree.value} />
        </>
      )}
    </main>
  )
}

function Legend({ tree }: { tree: ActorAnswer }) {
  return (
    <dl class="kinds">
      {kindsIn(tree).map((kind) => (
        <div key={kind}>
          <dt>{kind}</dt>
          <dd>{kindMeanings[kind]}</dd>
        </div>
      ))}
    </dl>
  )
}

function Actor({ actor, parent }: { actor: ActorAnswer; parent: string }) {
  const { kind, id, children } = actor
  const numbers = countWords(actor)
  return (
    <li>
      <span class={`actor is-${kind}`}>
        <span class="quiet">{kind}</span>
        {id !== parent && <Name actor={actor} />}
        <State actor={actor} />
        {numbers.length > 0 && <span class="quiet">{numbers.join(" · ")}</span>}
      </span>
      {children.length > 0 && (
        <ul>
          {children.map((child) => (
            <Actor key={`${child.kind} ${child.id}`} actor={child} parent={id} />
          ))}
        </ul>
      )}
    </li>
  )
}

/** An actor that is about a job is named after it and links to it. */
function Name({ actor: { id, session } }: { actor: ActorAnswer }) {
  if (session === undefined)
    return (
      <strong>
        <Words text={titles.value[id] ?? id} />
      </strong>
    )
  return <a href={hrefTo({ job: session })}>{findJob(session)?.id ?? id}</a>
}

function State({ actor }: { actor: ActorAnswer }) {
  const job = actor.kind === "job" ? placeIn(actor.state) : undefined
  if (job) return <StateBadge job={job} />
  const state = stateOf(actor)
  return state === undefined ? null : (
    <span class={isInTrouble(actor) ? "badge actor-state is-in-trouble" : "badge actor-state"}>{state}</span>
  )
}
