/**
 * Solid and OpenTUI, as far as they are used here. opencode lends them: a copy of one's own would draw nothing. An
 * installed package gets them by the names of OpenTUI's runtime modules, which are not documented, a folder in 1.18 by
 * their own. Declared by hand, since their packages weigh 80 MB; seen in 1.18.33 and 2.0.15.
 */
// Literally: opencode looks for these names in what it loads.
const solid: Solid = await import("opentui:runtime-module:solid-js").catch(() => import("solid-js"))
const opentui: OpenTui = await import("opentui:runtime-module:%40opentui%2Fsolid").catch(
  () => import("@opentui/solid"),
)

type Solid = {
  createSignal<Value>(value: Value): [() => Value, (value: Value) => void]
  createMemo<Value>(compute: () => Value): () => Value
  createEffect(run: () => void): void
  onCleanup(run: () => void): void
  untrack<Value>(read: () => Value): Value
  For: Component<{ each: readonly string[]; children(item: string): Element }>
}

type OpenTui = {
  createElement<Tag extends keyof Elements>(tag: Tag): Elements[Tag]
  insert(parent: Element, child: Child, marker: null): void
  setProp(element: Element, name: string, value: unknown, before?: unknown): unknown
  effect(run: (before: unknown) => unknown): void
  createComponent<Props>(component: Component<Props>, props: Props): Element
  /** Live, within a component. */
  useTerminalDimensions(): () => { width: number; height: number }
}

/** What is drawn. */
export type Element = object
type Elements = { box: Box; text: Element; b: Element; span: Element; input: Input; scrollbox: ScrollBox }
/** `width`, `height`: as it is drawn, in columns and lines. */
export type Box = Element & { readonly width: number; readonly height: number }
export type Input = Element & { focus(): void; readonly isDestroyed: boolean }
export type ScrollBox = Element & {
  /** Lines above what is shown of it. */
  readonly scrollTop: number
  scrollTo(line: number): void
  scrollBy(by: number, unit: "viewport"): void
}
type Component<Props> = (props: Props) => Element
type Child = Element | string | undefined | (() => Element | string | undefined)

export const { createSignal, createMemo, createEffect, onCleanup, untrack } = solid
export const { useTerminalDimensions } = opentui

/** An element of OpenTUI. A property or child that is a function is live; one that begins with `on` is a listener. */
export function h<Tag extends keyof Elements>(
  tag: Tag,
  props: Record<string, unknown>,
  ...children: Child[]
): Elements[Tag] {
  const element = opentui.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function" && !name.startsWith("on")) live(element, name, () => value())
    else opentui.setProp(element, name, value)
  }
  // Without the null a live child would take the place of its siblings.
  for (const child of children) opentui.insert(element, child, null)
  return element
}

/** What stays as it is draws nothing anew. */
function live(element: Element, name: string, read: () => unknown): void {
  opentui.effect((before) => {
    const value = read()
    return value === before ? before : opentui.setProp(element, name, value, before)
  })
}

/** One element for each key, which is kept for as long as its key is there. */
export function each(keys: () => readonly string[], draw: (key: string) => Element): Element {
  return opentui.createComponent(solid.For, {
    get each() {
      return keys()
    },
    children: draw,
  })
}
