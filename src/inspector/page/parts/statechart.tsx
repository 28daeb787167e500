import { signal } from "@preact/signals"
import { useEffect, useRef } from "preact/hooks"
import type { JobAnswer, MachineAnswer } from "../../http/api.ts"
import { loadMachine } from "../model/api.ts"
import { curve, litNodes, takenArrows } from "../model/statechart.ts"

type ArrowShape = MachineAnswer["arrows"][number]

/** The same for every job, so loaded once. */
const machine = signal<MachineAnswer | undefined>(undefined)

type Props = { place: string; last: JobAnswer["history"][number] | undefined }

/** The job's real state machine, with its current state and the transition that led there. */
export function Statechart({ place, last }: Props) {
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
    const here = box.current?.querySelector(".here rect")
    if (!box.current || !here) return
    // On a narrow screen only part of the chart is visible.
    const { left, width } = here.getBoundingClientRect()
    const { left: start, width: seen } = box.current.getBoundingClientRect()
    box.current.scrollLeft += left - start - (seen - width) / 2
  }, [chart, place])
  if (!chart) return <div class="chart loading" />
  const lit = litNodes(chart, place)
  const taken = takenArrows(chart, last)
  const label = `The job's state machine. Current state: ${place}${last ? `, reached by ${last.event}` : ""}.`
  return (
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
          <g
            key={node.id}
            class={`node ${node.kind} ${lit.has(node.id) ? "lit" : ""} ${node.place === place ? "here" : ""}`}
          >
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
          <Arrow key={`${arrow.from}>${arrow.to}`} arrow={arrow} taken={taken.get(arrow)} />
        ))}
      </svg>
    </div>
  )
}

/** Whether the last transition was this event and led back to the node. */
function isLoop({ place }: MachineAnswer["nodes"][number], event: string, last: Props["last"]): boolean {
  return last !== undefined && last.from === last.to && last.to === place && last.event === event
}

function Arrow({ arrow, taken }: { arrow: ArrowShape; taken: string | undefined }) {
  const [x, y] = arrow.label
  const isTaken = taken !== undefined
  return (
    <g class={isTaken ? "edge taken" : "edge"}>
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
