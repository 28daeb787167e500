import { visible as inFull } from "../../util/visible.ts"

export { visibleLine } from "../../util/visible.ts"

/** The same for a terminal, whose columns a tab would upset. */
export const visible = (text: string): string => inFull(text.replaceAll("\t", "  "))
