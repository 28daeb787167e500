import { useSignal } from "@preact/signals"
import type { RefObject } from "preact"
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks"
import type { JobAnswer } from "../../http/api.ts"
import { isCurrent } from "../model/connection.ts"
import {
  answerIn,
  completed,
  follow,
  type Message,
  notLoaded,
  type Part,
  type Conversation as Read,
  type Turn,
  turnsOf,
  waitingCalls,
} from "../model/conversation.ts"
import { findJob } from "../model/jobs.ts"
import { unread } from "../model/sent.ts"
import { clockTime, duration, isLive } from "../model/words.ts"
import { Fold } from "./fold.tsx"
import { ForeignText } from "./foreign-text.tsx"
import { Markdown } from "./markdown.tsx"
import { Words } from "./words.tsx"

/** What the child was asked, and what it has done and said since. */
export function Conversation({ address, job }: { address: string; job: JobAnswer }) {
  const { messages, state, problem } = useConversation(address, job)
  const full = isLive(job) ? undefined : job.text
  const turns = useMemo(() => turnsOf(completed(messages, full)), [messages, full])
  const unreadTexts = unread(address, messages)
  const waiting = useMemo(() => waitingCalls(messages, job), [messages, job])
  const asData = useMemo(
    () => (job.structured === undefined ? undefined : answerIn(turns)),
    [turns, job.structured === undefined],
  )
  const box = useEnd(messages, isLive(job), unreadTexts.length)
  const goTo = (top: number) => {
    box.current?.scrollTo({ top })
    box.current?.scrollIntoView({ block: top === 0 ? "start" : "end" })
  }
  return (
    <>
      {/* That the connection is lost stands above already. */}
      {problem !== "" && isCurrent.value && (
        <p class="problem" role="status">
          <Words text={problem} />
        </p>
      )}
      {messages.length === 0 ? (
        <>
          <Nothing state={state} job={job} />
          <Unread texts={unreadTexts} />
        </>
      ) : (
        <div class="talk" ref={box} tabIndex={0} role="region" aria-label="Messages">
          {turns.map((turn) => (
            <OneTurn
              key={turn.messages[0]?.id}
              turn={turn}
              agent={job.agent}
              waiting={waiting}
              asData={asData}
            />
          ))}
          {job.phase === "working" && <p class="quiet now">at work …</p>}
          {!isLive(job) && job.noText && job.noText.kind !== "nothing" && (
            <p class="quiet">{job.noText.message}</p>
          )}
          <Unread texts={unreadTexts} />
        </div>
      )}
      {messages.length > 0 && (
        <div class="ends">
          <button type="button" class="small" onClick={() => goTo(0)}>
            ↑ First
          </button>
          <button type="button" class="small" onClick={() => goTo(box.current?.scrollHeight ?? 0)}>
            ↓ Latest
          </button>
        </div>
      )}
    </>
  )
}

/** What was sent from here, until the child has it. */
function Unread({ texts }: { texts: readonly string[] }) {
  return (
    <div role="status">
      {texts.map((text, index) => (
        <article key={index} class="turn by-user">
          <h3>Sent, not yet read by the child</h3>
          <div class="said">
            <Markdown text={text} />
          </div>
        </article>
      ))}
    </div>
  )
}

/** What is not loaded may be there: until then stands here what the job's record has of it. */
function Nothing({ state, job }: { state: Read["state"]; job: JobAnswer }) {
  if (state === "loading") return <p class="empty">Loading the conversation …</p>
  if (state === "loaded")
    return <p class="empty">{isLive(job) ? "Nothing has been asked yet." : "Nothing was asked."}</p>
  const text = job.text ?? (isLive(job) ? job.activity?.text : undefined)
  if (text !== undefined && text !== "") return <ForeignText text={text} fromEnd={isLive(job)} />
  return <p class="empty">{job.noText?.message ?? "What it is writing is not known."}</p>
}

function useConversation(address: string, { run, ...job }: JobAnswer): Read {
  const read = useSignal<Read>(notLoaded)
  const isRunning = isLive(job)
  useEffect(() => {
    const left = new AbortController()
    const tell = (conversation: Read) => {
      read.value = conversation
    }
    void follow(address, read.peek(), isRunning, () => findJob(address), left.signal, tell)
    return () => left.abort()
  }, [address, isRunning, run, read])
  return read.value
}

/** At first the latest is shown, from its beginning if nothing is to follow; whoever is at the end stays there. */
function useEnd(messages: readonly Message[], isRunning: boolean, sent: number) {
  const box = useRef<HTMLDivElement>(null)
  useWindowHeight(box)
  const isAtEnd = useRef(isRunning)
  const isPlaced = useRef(false)
  const isThere = messages.length > 0
  useEffect(() => {
    const element = box.current
    if (!element) return
    const note = () => {
      isAtEnd.current = element.scrollTop + element.clientHeight > element.scrollHeight - 30
    }
    element.addEventListener("scroll", note, { passive: true })
    return () => element.removeEventListener("scroll", note)
  }, [isThere])
  useEffect(() => {
    const element = box.current
    if (!element) return
    const last = element.querySelector<HTMLElement>(".turn:last-of-type .said:last-child")
    if (isAtEnd.current) element.scrollTop = element.scrollHeight
    else if (!isPlaced.current && last) element.scrollTop = last.offsetTop - 12
    isPlaced.current = true
  }, [messages])
  useEffect(() => {
    if (sent > 0) box.current?.scrollTo({ top: box.current.scrollHeight })
  }, [sent])
  return box
}

/** What is below the box in its window: its panel's padding and the page's. */
const below = 34
/** What can still be read in, pixels: where less is left of the window, the page scrolls. */
const lowest = 320

/** The box ends where the window ends: its latest words are in sight when the page is opened. */
function useWindowHeight(box: RefObject<HTMLElement | null>): void {
  const fit = () => {
    const element = box.current
    const page = element?.closest("main")
    if (!element || !page) return
    const top = element.getBoundingClientRect().top + page.scrollTop
    element.style.maxHeight = `${Math.max(lowest, innerHeight - top - below)}px`
  }
  // After every drawing: what stands above it comes and goes.
  useLayoutEffect(fit)
  useEffect(() => {
    addEventListener("resize", fit)
    return () => removeEventListener("resize", fit)
  }, [])
}

const originWords = { summary: "Summary of what was said before", notice: "Notice" }

/** Those that wait for a person. */
type Waiting = ReadonlySet<Part>
/** `asData`: the answer that is shown as data already. */
type TurnProps = { turn: Turn; agent: string; waiting: Waiting; asData: Part | undefined }

function OneTurn({ turn: { role, messages }, agent, waiting, asData }: TurnProps) {
  const first = messages[0]
  return (
    <article class={`turn by-${role}`}>
      <h3>
        {first?.origin ? originWords[first.origin] : role === "user" ? "Asked" : <Words text={agent} />}
        {role === "assistant" && first?.model !== undefined && (
          <span class="quiet">
            {" "}
            <Words text={first.model} />
          </span>
        )}
        {first?.at !== undefined && (
          <time class="quiet" dateTime={new Date(first.at).toISOString()}>
            {" "}
            {clockTime(first.at)}
          </time>
        )}
      </h3>
      {messages.map((message) => (
        <OneMessage key={message.id} message={message} waiting={waiting} asData={asData} />
      ))}
    </article>
  )
}

type MessageProps = { message: Message } & Pick<TurnProps, "waiting" | "asData">

/** opencode's word for a step that was cancelled. */
const stopped = "Aborted"

function OneMessage({ message, waiting, asData }: MessageProps) {
  return useMemo(
    () => (
      <div class="said">
        {message.parts.map((part, index) => (
          <OnePart key={index} part={part} isWaiting={waiting.has(part)} isData={part === asData} />
        ))}
        {message.cut && <p class="quiet">It has more parts than these.</p>}
        {message.error !== undefined && (
          <p class={message.error === stopped ? "quiet" : "problem"}>
            <Words text={message.error === stopped ? "It was stopped here." : message.error} />
          </p>
        )}
      </div>
    ),
    [message, waiting, asData],
  )
}

function OnePart({ part, isWaiting, isData }: { part: Part; isWaiting: boolean; isData: boolean }) {
  if (part.type === "tool") return <Call part={part} isWaiting={isWaiting} />
  if (part.text === undefined || part.text.trim() === "") return null
  const text = (
    <>
      <Markdown text={part.text} />
      {part.cut && <Cut />}
    </>
  )
  if (isData)
    return (
      <Fold class="reasoning" summary="The answer as it was written: as data it stands above">
        {() => text}
      </Fold>
    )
  if (part.type === "text") return text
  return (
    <Fold class="reasoning" summary="Reasoning">
      {() => text}
    </Fold>
  )
}

const statusWords = {
  pending: { sign: "⋯", word: "being written" },
  running: { sign: "▶", word: "running" },
  completed: { sign: "✓", word: "completed" },
  error: { sign: "✕", word: "failed" },
  waiting: { sign: "!", word: "waiting for you" },
}

/** A call of a tool: what it is about on one line, its arguments and its result folded. */
function Call({ part, isWaiting }: { part: Part; isWaiting: boolean }) {
  const { tool = "", title, input = [], output, startedAt, endedAt } = part
  const status = isWaiting ? "waiting" : (part.status ?? "running")
  const { sign, word } = statusWords[status]
  const took = startedAt !== undefined && endedAt !== undefined ? duration(endedAt - startedAt) : undefined
  const summary = (
    <>
      <span class="sign" aria-hidden="true">
        {sign}
      </span>{" "}
      <code>
        <Words text={tool} />
      </code>{" "}
      {title !== undefined && (
        <span class="clip">
          <Words text={title} />
        </span>
      )}
      <span class={status === "completed" ? "hidden" : "status"}> {word}</span>
      {took !== undefined && <span class="quiet"> {took}</span>}
    </>
  )
  return (
    <Fold class={`call is-${status}`} summary={summary}>
      {() => (
        <>
          {input.map(({ name, text }) => (
            <div key={name}>
              <p class="quiet">
                <Words text={name} />
              </p>
              <ForeignText text={text} />
            </div>
          ))}
          {output !== undefined && (
            <div>
              <p class="quiet">{status === "error" ? "why it failed" : "output"}</p>
              <ForeignText text={output} />
            </div>
          )}
          {part.cut && <Cut />}
        </>
      )}
    </Fold>
  )
}

const Cut = () => <p class="quiet">It goes on: this is its beginning.</p>
