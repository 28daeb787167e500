import type { MachineAnswer } from "../../http/api.ts"

type Arrow = MachineAnswer["arrows"][number]
type Step = { from: string; to: string; event: string }

/** The ids of the nodes for `state.phase` (a child works while its tool runs, too) and of those that contain them. */
export function litNodes({ nodes }: MachineAnswer, place: string): Set<string> {
  const here = nodes.filter((each) => each.place === place)
  return new Set(nodes.filter(({ id }) => here.some((node) => isWithin(node.id, id))).map(({ id }) => id))
}

/** The arrows that a step followed, each with its event: that of the step, then those of automatic transitions. */
export function takenArrows({ nodes, arrows }: MachineAnswer, step: Step | undefined): Map<Arrow, string> {
  const from = nodes.find(({ place }) => place === step?.from)
  const to = nodes.find(({ place }) => place === step?.to)
  if (!step || !from || !to) return new Map()
  const all = arrows.flatMap((arrow) => arrow.transitions.map((transition) => ({ arrow, ...transition })))
  const ofEvent = all.filter(({ event, from: id }) => event === step.event && isRelated(id, from.id))
  const direct = ofEvent.find(({ to: id }) => isWithin(to.id, id))
  const first = direct ?? ofEvent[0]
  if (!first) return new Map()
  const onward = all.find(
    ({ event, from: id, to: end }) => isAutomatic(event) && isWithin(to.id, end) && isRelated(first.to, id),
  )
  const taken = direct || !onward ? [first] : [first, onward]
  return new Map(taken.map(({ arrow, event }) => [arrow, event]))
}

/** All places that a job has been at, and all arrows that led it there. */
export function wayOf(
  chart: MachineAnswer,
  steps: readonly Step[],
): { places: Set<string>; arrows: Set<Arrow> } {
  const way = { places: new Set<string>(), arrows: new Set<Arrow>() }
  const known = new Set<string>()
  for (const step of steps) {
    way.places.add(step.to)
    const name = `${step.from} ${step.event} ${step.to}`
    if (known.has(name)) continue
    known.add(name)
    for (const arrow of takenArrows(chart, step).keys()) way.arrows.add(arrow)
  }
  return way
}

/** An arrow as a smooth SVG path, which bends at the points and passes through the midpoints between them. */
export function curve(points: Arrow["points"]): string {
  const [first, ...rest] = points
  const last = rest.pop()
  if (!first || !last) return ""
  const bends = rest.map(([x, y], index) => {
    const [nextX, nextY] = rest[index + 1] ?? last
    const end = index === rest.length - 1 ? [nextX, nextY] : [(x + nextX) / 2, (y + nextY) / 2]
    return `Q${x} ${y} ${end.join(" ")}`
  })
  return `M${first.join(" ")} ${bends.length > 0 ? bends.join(" ") : `L${last.join(" ")}`}`
}

const isWithin = (inner: string, outer: string) => inner === outer || inner.startsWith(`${outer}.`)

const isRelated = (a: string, b: string) => isWithin(a, b) || isWithin(b, a)

const isAutomatic = (event: string) => event === "" || event.endsWith(" over")
