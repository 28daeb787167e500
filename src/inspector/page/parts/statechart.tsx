import { signal } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import type { JobAnswer, MachineAnswer } from "../../http/api.ts"
import { loadMachine } from "../model/api.ts"
import { curve, litNodes, takenArrows, wayOf } from "../model/statechart.ts"

type ArrowShape = MachineAnswer["arrows"][number]

/** The same for every job, so loaded once. */
const machine = signal<MachineAnswer | undefined>(undefined)

type History = JobAnswer["history"]
/** `chosen`: the index of the step to show; otherwise it is the last one. */
type Props = { place: string; steps: History; chosen: number | undefined }

/** The job's real state machine, with its current state, the whole way there, and one step of it. */
export function Statechart({ place, steps, chosen }: Props) {
  const last = steps[chosen ?? steps.length - 1]
  useEffect(() => {
    machine.value ??
      loadMachine("job").then(
        (loaded) => (machine.value = loaded),
        () => {},
      )
  }, [])
  const chart = machine.value
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (chosen !== undefined) box.current?.scrollIntoView({ block: "nearest" })
  }, [chosen])
  useEffect(() => {
    const here = box.current?.querySelector(".here rect")
    if (!box.current || !here) return
    // On a narrow screen only part of the chart is visible.
    const { left, width } = here.getBoundingClientRect()
    const { left: start, width: seen } = box.current.getBoundingClientRect()
    box.current.scrollLeft += left - start - (seen - width) / 2
  }, [chart, place])
  if (!chart) return <div class="chart loading" />
  const lit = litNodes(chart, place)
  const way = wayOf(chart, steps)
  const taken = takenArrows(chart, last)
  const label =
    chosen === undefined || !last
      ? `The job's state machine. Current state: ${place}${last ? `, reached by ${last.event}` : ""}.`
      : `The job's state machine. Step ${chosen + 1} of ${steps.length}: ${last.from} to ${last.to} by ${last.event}. Current state: ${place}.`
  const nodeClass = (node: MachineAnswer["nodes"][number]) =>
    [
      "node",
      node.kind,
      lit.has(node.id) && "lit",
      node.place === place && "here",
      node.place !== undefined && way.places.has(node.place) && "visited",
      chosen !== undefined && node.place === last?.to && "chosen",
    ]
      .filter(Boolean)
      .join(" ")
  return (
    <>
      <Legend isChosen={chosen !== undefined} />
      <div class="chart" ref={box} tabIndex={0} role="group" aria-label="State machine">
        <svg
          role="img"
          aria-label={label}
          viewBox={`0 0 ${chart.width} ${chart.height}`}
          width={chart.width}
          height={chart.height}
        >
          <defs>
            {["arrow", "arrow-taken"].map((id) => (
              <marker
                key={id}
                id={id}
                viewBox="0 0 8 8"
                refX="7"
                refY="4"
                markerWidth="7"
                markerHeight="7"
                orient="auto"
              >
                <path d="M0 0.5 L8 4 L0 7.5 Z" />
              </marker>
            ))}
          </defs>
          {chart.nodes.map((node) => (
            <g key={node.id} class={nodeClass(node)}>
              <rect x={node.x} y={node.y} width={node.width} height={node.height} rx="8" />
              <text x={node.x + 10} y={node.y + (node.kind === "compound" ? 17 : 19)}>
                {node.place === place ? "● " : ""}
                {node.name}
                {node.kind === "compound" &&
                  node.inside.map((event) => (
                    <tspan key={event} class={isLoop(node, event, last) ? "inside taken" : "inside"}>
                      {"  "}↻ {event}
                    </tspan>
                  ))}
              </text>
              {node.kind !== "compound" &&
                node.inside.map((event, index) => (
                  <text
                    key={event}
                    class={isLoop(node, event, last) ? "inside taken" : "inside"}
                    x={node.x + 10}
                    y={node.y + 34 + index * 14}
                  >
                    ↻ {event}
                  </text>
                ))}
            </g>
          ))}
          {chart.arrows.map((arrow) => (
            <Arrow
              key={`${arrow.from}>${arrow.to}`}
              arrow={arrow}
              taken={taken.get(arrow)}
              isWalked={way.arrows.has(arrow)}
            />
          ))}
        </svg>
      </div>
    </>
  )
}

function Legend({ isChosen }: { isChosen: boolean }) {
  return (
    <p class="legend chart-legend">
      <span>
        <span class="sample is-here" /> now
      </span>
      <span>
        <span class="sample is-visited" /> has been there
      </span>
      <span>
        <span class="sample is-walked" /> the way it took
      </span>
      <span>
        <span class="sample is-taken" /> {isChosen ? "the step that was chosen" : "its last step"}
      </span>
    </p>
  )
}

/** Whether the last transition was this event and led back to the node. */
function isLoop(
  { place }: MachineAnswer["nodes"][number],
  event: string,
  last: History[number] | undefined,
): boolean {
  return last !== undefined && last.from === last.to && last.to === place && last.event === event
}

type ArrowProps = { arrow: ArrowShape; taken: string | undefined; isWalked: boolean }

function Arrow({ arrow, taken, isWalked }: ArrowProps) {
  const [x, y] = arrow.label
  const isTaken = taken !== undefined
  return (
    <g class={`edge${isTaken ? " taken" : ""}${isWalked ? " walked" : ""}`}>
      <path d={curve(arrow.points)} marker-end={isTaken ? "url(#arrow-taken)" : "url(#arrow)"} />
      {arrow.texts.map((text, index) => (
        <text
          key={text}
          class={taken && text.endsWith(taken) ? "taken" : ""}
          x={x}
          y={y + 4 + (index - (arrow.texts.length - 1) / 2) * 14}
          text-anchor="middle"
        >
          {text}
        </text>
      ))}
    </g>
  )
}
