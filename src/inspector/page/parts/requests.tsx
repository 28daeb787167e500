import { useSignal } from "@preact/signals"
import type { JobAnswer, RequestAnswer } from "../../http/api.ts"
import { type Reply, reply } from "../model/api.ts"
import { hasQuestion } from "../model/needs.ts"
import { addressOf } from "../model/words.ts"
import { ForeignText } from "./foreign-text.tsx"
import { Words } from "./words.tsx"

type Permission = Extract<RequestAnswer, { kind: "permission" }>
type Questions = Extract<RequestAnswer, { kind: "question" }>

/** What a job waits for, in full, and the answers that a person can give. */
export function Requests({ job }: { job: JobAnswer }) {
  if (!hasQuestion(job)) return null
  const { requests, asks = [] } = job
  const unread = asks.filter(({ id }) => !requests.some((request) => request.id === id))
  const count = requests.length + unread.length
  const nameOf = (kind: RequestAnswer["kind"], index: number) =>
    count > 1 ? `${kindWords[kind]} ${index + 1} of ${count}` : kindWords[kind]
  return (
    <>
      {requests.map((request, index) => (
        <OneRequest key={request.id} name={nameOf(request.kind, index)} request={request} job={job} />
      ))}
      {unread.map(({ id, kind, text }, index) => (
        <section key={id} class="request" aria-label={nameOf(kind, requests.length + index)}>
          <h2>{nameOf(kind, requests.length + index)}</h2>
          <ForeignText text={text} />
          <p class="quiet">It is no longer asked, or cannot be read in full now.</p>
          <InTerminal job={job} isWayOut />
        </section>
      ))}
    </>
  )
}

const kindWords = { permission: "Permission request", question: "Question" }

type RequestProps = { name: string; request: RequestAnswer; job: JobAnswer }

function OneRequest({ name, request, job }: RequestProps) {
  const said = useSignal("")
  const problem = useSignal("")
  const isUnderWay = useSignal(false)
  const why = request.unanswerable ?? job.can.answer
  const answer = async (words: string, given: Reply) => {
    if (why !== undefined || isUnderWay.value || said.value !== "") return
    isUnderWay.value = true
    problem.value = ""
    try {
      await reply(addressOf(job), { ask: request.id, ...given })
      said.value = words
    } catch (error) {
      problem.value = error instanceof Error ? error.message : String(error)
    } finally {
      isUnderWay.value = false
    }
  }
  const props = { why, isUnderWay: isUnderWay.value, answer }
  return (
    <section class="request" aria-label={name}>
      <h2>{name}</h2>
      {request.session !== job.session && (
        <p class="quiet">
          Asked by a session that the child has started: <Words text={request.session} />
        </p>
      )}
      {request.kind === "permission" ? (
        <PermissionForm request={request} {...props} />
      ) : (
        <QuestionForm request={request} {...props} />
      )}
      {why !== undefined && (
        <p id={`why-${request.id}`} class="quiet">
          It cannot be answered here: <Words text={why} />
        </p>
      )}
      <p role="status" class={said.value === "" ? "quiet" : "all-well"}>
        {isUnderWay.value ? "Answering …" : said.value}
      </p>
      {problem.value !== "" && (
        <p class="problem" role="alert">
          <Words text={problem.value} />
        </p>
      )}
      <InTerminal job={job} isWayOut={problem.value !== "" || why !== undefined} />
    </section>
  )
}

type FormProps<T> = {
  request: T
  /** Why it cannot be answered here. */
  why: string | undefined
  isUnderWay: boolean
  answer(words: string, given: Reply): Promise<void>
}

/** Not `disabled`: the keyboard skips a disabled button, and nobody would learn why. */
const offIf = <T,>({ request, why, isUnderWay }: FormProps<T & { id: string }>) => ({
  "aria-disabled": why !== undefined || isUnderWay,
  "aria-describedby": why && `why-${request.id}`,
})

function PermissionForm(props: FormProps<Permission>) {
  const { request, why, answer } = props
  const isDenying = useSignal(false)
  const message = useSignal("")
  const deny = (event: Event) => {
    event.preventDefault()
    const words = message.value.trim()
    void answer("Denied.", { reply: "reject", ...(words !== "" && { message: words }) })
  }
  const decide = (words: string, decision: "once" | "always") => () => void answer(words, { reply: decision })
  const off = offIf(props)
  return (
    <>
      <dl class="asked">
        <div>
          <dt>
            <code>
              <Words text={request.action} />
            </code>
          </dt>
          {request.parts.length === 0 && <dd class="quiet">It does not say what for.</dd>}
        </div>
        {request.parts.map(({ title, text, cut }, index) => (
          <div key={index}>
            {title !== "" && (
              <dt class="quiet">
                <Words text={title} />
              </dt>
            )}
            <dd>
              <ForeignText text={text} />
              {cut && <p class="problem">It goes on: this is its beginning.</p>}
            </dd>
          </div>
        ))}
      </dl>
      <div class="answers">
        <button type="button" class="primary" {...off} onClick={decide("Allowed once.", "once")}>
          Allow once
        </button>
        <button type="button" {...off} onClick={decide("Allowed from now on.", "always")}>
          Always allow
        </button>
        <button
          type="button"
          class="danger"
          {...off}
          aria-expanded={isDenying.value}
          onClick={() => {
            isDenying.value = why === undefined && !isDenying.value
          }}
        >
          Deny…
        </button>
      </div>
      {request.always.length > 0 && (
        <p class="quiet">
          “Always” allows from now on:{" "}
          {request.always.map((pattern) => (
            <code key={pattern} class="pattern">
              <Words text={pattern} />
            </code>
          ))}
        </p>
      )}
      {isDenying.value && (
        <form class="deny" onSubmit={deny}>
          <label>
            What the child is told <span class="quiet">(optional)</span>
            <textarea
              rows={2}
              value={message.value}
              onInput={({ currentTarget }) => (message.value = currentTarget.value)}
            />
          </label>
          <button type="submit" class="danger is-filled">
            Deny
          </button>
        </form>
      )}
    </>
  )
}

type Given = Readonly<Record<string, { chosen: readonly string[]; own: string }>>
const nothing = { chosen: [], own: "" }

function QuestionForm(props: FormProps<Questions>) {
  const { request, why, answer } = props
  const given = useSignal<Given>({})
  const { questions } = request
  const valuesOf = (key: string) => {
    const { chosen, own } = given.value[key] ?? nothing
    return own.trim() === "" ? [...chosen] : [...chosen, own.trim()]
  }
  const isComplete = questions.every(({ key }) => valuesOf(key).length > 0)
  const submit = (event: Event) => {
    event.preventDefault()
    if (isComplete) void answer("Answered.", { answers: questions.map(({ key }) => valuesOf(key)) })
  }
  const off = offIf(props)
  return (
    <form onSubmit={submit}>
      {questions.map((question) => (
        <QuestionFields
          key={question.key}
          name={`${request.id} ${question.key}`}
          question={question}
          given={given.value[question.key] ?? nothing}
          isOff={why !== undefined}
          onGiven={(now) => (given.value = { ...given.value, [question.key]: now })}
        />
      ))}
      <div class="answers">
        <button type="submit" class="primary" {...off} aria-disabled={off["aria-disabled"] || !isComplete}>
          Answer
        </button>
        <button type="button" {...off} onClick={() => void answer("Dismissed.", { dismiss: true })}>
          Dismiss
        </button>
      </div>
    </form>
  )
}

type FieldsProps = {
  name: string
  question: Questions["questions"][number]
  given: Given[string]
  isOff: boolean
  onGiven(given: Given[string]): void
}

function QuestionFields({ name, question, given: { chosen, own }, isOff, onGiven }: FieldsProps) {
  const { title, text, choices, isMultiple, takesText } = question
  const choose = (value: string, isChosen: boolean) => {
    const others = isMultiple ? chosen.filter((each) => each !== value) : []
    onGiven({ chosen: isChosen ? [...others, value] : others, own: isMultiple ? own : "" })
  }
  return (
    <fieldset disabled={isOff}>
      <legend>
        <Words text={title === "" ? text : title} />
      </legend>
      {title !== "" && text !== title && <ForeignText text={text} />}
      {choices.map(({ value, label, description }) => (
        <label key={value} class="choice">
          <input
            type={isMultiple ? "checkbox" : "radio"}
            name={name}
            checked={chosen.includes(value)}
            onChange={({ currentTarget }) => choose(value, currentTarget.checked)}
          />
          <span>
            <Words text={label} />
            {description !== undefined && description !== "" && (
              <span class="quiet">
                {" "}
                <Words text={description} />
              </span>
            )}
          </span>
        </label>
      ))}
      {takesText && (
        <label>
          {choices.length > 0 ? "Another answer" : "Answer"}
          <textarea
            rows={2}
            value={own}
            onInput={({ currentTarget }) =>
              onGiven({ chosen: isMultiple ? chosen : [], own: currentTarget.value })
            }
          />
        </label>
      )}
    </fieldset>
  )
}

/** Opens the child where all of opencode is at hand. */
function InTerminal({ job, isWayOut = false }: { job: JobAnswer; isWayOut?: boolean }) {
  const { session, project } = job
  if (session === "") return null
  return (
    <p class={isWayOut ? "" : "quiet in-terminal"}>
      {isWayOut ? "Answer it in a terminal" : "Or answer it in a terminal"}, in <Words text={project} />:{" "}
      <code>opencode --session {session}</code>
    </p>
  )
}
