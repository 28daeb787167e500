import { useSignal } from "@preact/signals"
import { entriesOf, isNested, type Json, summaryOf } from "../model/data.ts"
import { Copy } from "./copy.tsx"
import { Fold } from "./fold.tsx"
import { ForeignText } from "./foreign-text.tsx"
import { Words } from "./words.tsx"

/** Entries of one level that are drawn at first. */
const most = 100
/** Characters of a text that stands in its line. */
const longest = 300

/** The answer as JSON: what is nested is drawn when it is opened. */
export function Data({ value }: { value: Json }) {
  return (
    <>
      <div class="data">{isNested(value) ? <Entries value={value} /> : <Leaf value={value} />}</div>
      <Copy name="Copy the data" text={() => JSON.stringify(value, null, 2)} isSmall />
    </>
  )
}

function Entries({ value }: { value: Json }) {
  const count = useSignal(most)
  const entries = entriesOf(value)
  const left = entries.length - count.value
  if (entries.length === 0) return <p class="quiet">{Array.isArray(value) ? "an empty list" : "{}"}</p>
  return (
    <>
      <ul>
        {entries.slice(0, count.value).map(([name, each], index) => (
          <li key={index}>
            <Entry name={name} value={each} />
          </li>
        ))}
      </ul>
      {left > 0 && (
        <button type="button" class="small" onClick={() => (count.value += most)}>
          Show {Math.min(left, most)} more of {left}
        </button>
      )}
    </>
  )
}

function Entry({ name, value }: { name: string; value: Json }) {
  const label = (
    <code class="data-name">
      <Words text={name} />
    </code>
  )
  if (!isNested(value))
    return (
      <>
        {label} <Leaf value={value} />
      </>
    )
  if (entriesOf(value).length === 0)
    return (
      <>
        {label} <span class="quiet">{Array.isArray(value) ? "[]" : "{}"}</span>
      </>
    )
  const summary = (
    <>
      {label}{" "}
      <span class="quiet">
        <Words text={summaryOf(value)} />
      </span>
    </>
  )
  return (
    <Fold class="nested" summary={summary}>
      {() => <Entries value={value} />}
    </Fold>
  )
}

function Leaf({ value }: { value: Json }) {
  if (typeof value !== "string") return <code class="data-value">{String(value)}</code>
  if (value.length > longest || value.includes("\n")) return <ForeignText text={value} />
  if (value === "") return <span class="quiet">an empty text</span>
  return (
    <span class="data-text">
      <Words text={value} />
    </span>
  )
}
