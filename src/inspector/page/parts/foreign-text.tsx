import { useSignal } from "@preact/signals"
import { visible } from "../../../util/visible.ts"

/** Characters shown at first: a browser takes seconds to lay out a line of a megabyte. */
const most = 20_000

/** What models and tools wrote, as plain text in which nothing is hidden. */
export function ForeignText({ text, fromEnd = false }: { text: string; fromEnd?: boolean }) {
  const isAll = useSignal(false)
  const isLong = text.length > most && !isAll.value
  const shown = isLong ? (fromEnd ? text.slice(-most) : text.slice(0, most)) : text
  return (
    <>
      <pre class="foreign" dir="auto" tabIndex={0}>
        {visible(shown)}
      </pre>
      {isLong && (
        <button type="button" onClick={() => (isAll.value = true)}>
          Show all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </>
  )
}
