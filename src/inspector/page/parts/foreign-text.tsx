import { useSignal } from "@preact/signals"

/** Characters shown at first: a line of a megabyte takes the browser seconds to lay out. */
const most = 20_000

/** What models and tools wrote: text and nothing else, its control characters made visible. */
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

/** U+0001 becomes ␁; line ends and tabs stay. Bidirectional overrides could make text read as what it is not. */
function visible(text: string): string {
  return (
    text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is for
      .replace(/[\u0000-\u0008\u000b-\u001f]/g, (char) => String.fromCodePoint(0x2400 + char.charCodeAt(0)))
      .replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "�")
  )
}
