import { beginning } from "../../util/plain.ts"
import type { Screen } from "../terminal.ts"
import { visible, visibleLine } from "./plain.ts"

/** Characters of a toast, which covers what is below it. */
const longest = 400

/** What is said in opencode's own dialogs and toasts: names, titles and errors in it are foreign. */
export const spoken = (screen: Pick<Screen, "toast" | "prompt">): typeof screen => ({
  toast: ({ message, ...toast }) => screen.toast({ ...toast, message: beginning(visible(message), longest) }),
  prompt: ({ title, placeholder, ...prompt }) =>
    screen.prompt({ ...prompt, title: visibleLine(title), placeholder: visibleLine(placeholder) }),
})
