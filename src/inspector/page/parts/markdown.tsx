import { useSignal } from "@preact/signals"
import { useMemo } from "preact/hooks"
import { visible } from "../../../util/visible.ts"
import { type Block, type Inline, parseMarkdown } from "../model/markdown.ts"

/** Characters shown at first. */
const most = 20_000
/** The page's own headings are above those of what somebody wrote. */
const highest = 4

/** What models and people wrote, as Markdown in which nothing is hidden. No link of theirs can be followed. */
export function Markdown({ text }: { text: string }) {
  const isAll = useSignal(false)
  const isLong = text.length > most && !isAll.value
  const shown = isLong ? text.slice(0, most) : text
  const blocks = useMemo(() => parseMarkdown(visible(shown)), [shown])
  return (
    <div class="markdown" dir="auto">
      <Blocks blocks={blocks} />
      {isLong && (
        <button type="button" class="small" onClick={() => (isAll.value = true)}>
          Show all {text.length.toLocaleString("en")} characters
        </button>
      )}
    </div>
  )
}

function Blocks({ blocks }: { blocks: Block[] }) {
  return blocks.map((block, index) => <OneBlock key={index} block={block} />)
}

function OneBlock({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading": {
      const level = Math.min(6, highest + block.rank)
      const Level = `h${level}` as "h4" | "h5" | "h6"
      return (
        <Level>
          <Inlines inlines={block.inlines} />
        </Level>
      )
    }
    case "paragraph":
      return (
        <p>
          <Inlines inlines={block.inlines} />
        </p>
      )
    case "code":
      return (
        <pre tabIndex={0}>
          {block.language !== "" && (
            <span class="quiet language">
              {block.language}
              {"\n"}
            </span>
          )}
          <code>{block.text}</code>
        </pre>
      )
    case "list":
      return <List start={block.start} items={block.items} />
    case "quote":
      return (
        <blockquote>
          <Blocks blocks={block.blocks} />
        </blockquote>
      )
    case "table":
      return <Table head={block.head} rows={block.rows} />
    case "rule":
      return <hr />
  }
}

function List({ start, items }: { start: number | undefined; items: Block[][] }) {
  const each = items.map((blocks, index) => (
    <li key={index}>
      <Blocks blocks={blocks} />
    </li>
  ))
  return start === undefined ? <ul>{each}</ul> : <ol start={start}>{each}</ol>
}

function Table({ head, rows }: { head: Inline[][]; rows: Inline[][][] }) {
  return (
    <div class="scrolled" tabIndex={0} role="group" aria-label="Table">
      <table>
        <thead>
          <tr>
            {head.map((cell, index) => (
              <th key={index} scope="col">
                <Inlines inlines={cell} />
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((cell, column) => (
                <td key={column}>
                  <Inlines inlines={cell} />
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Inlines({ inlines }: { inlines: Inline[] }) {
  return inlines.map((inline, index) => <OneInline key={index} inline={inline} />)
}

function OneInline({ inline }: { inline: Inline }) {
  switch (inline.kind) {
    case "text":
      return inline.text
    case "code":
      return <code>{inline.text}</code>
    case "break":
      return <br />
    case "strong":
      return (
        <strong>
          <Inlines inlines={inline.inlines} />
        </strong>
      )
    case "emphasis":
      return (
        <em>
          <Inlines inlines={inline.inlines} />
        </em>
      )
    case "struck":
      return (
        <s>
          <Inlines inlines={inline.inlines} />
        </s>
      )
    case "link":
      return (
        <span class="link">
          <Inlines inlines={inline.inlines} />
          {inline.inlines.length > 0 && " "}
          <bdi class="address">{inline.address}</bdi>
        </span>
      )
  }
}
