import type { ComponentChildren } from "preact"
import { useEffect, useRef } from "preact/hooks"
import { hasNavigated } from "../model/address.ts"

type Props = { children: ComponentChildren; isHidden?: boolean }

/** A view's heading. It takes a focus that was lost with the previous view, so that a screen reader continues here. */
export function Heading({ children, isHidden = false }: Props) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    const isLost = document.activeElement === null || document.activeElement === document.body
    if (hasNavigated() && isLost) heading.current?.focus({ preventScroll: true })
  }, [])
  return (
    <h1 ref={heading} tabIndex={-1} class={isHidden ? "hidden" : ""}>
      {children}
    </h1>
  )
}
