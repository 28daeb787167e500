import * as z from "zod"
import { type Form, questionsOf } from "../../../shown/forms-of-2.ts"
import { type Input, permissionParts } from "../../../shown/permission-parts.ts"
import type { Request } from "../../../shown/requests.ts"
import { shared } from "../../util/process-wide.ts"
import { within } from "../../util/within.ts"
import { typeOf } from "../event-type.ts"

const Permissions = z.array(
  z.object({
    id: z.string(),
    action: z.string(),
    resources: z.array(z.string()),
    save: z.array(z.string()).default([]),
    metadata: z.record(z.string(), z.unknown()).optional(),
    source: z.object({ messageID: z.string().optional(), id: z.string().optional() }).optional(),
  }),
)
type Permission = z.infer<typeof Permissions>[number]

export const decodePermissions = (given: unknown): Permission[] => Permissions.parse(given)

/** @param input what the call was given that asks; nothing where no call does */
export function permissionRequest(session: string, asked: Permission, input: Input | undefined): Request {
  const { id, action, resources: patterns, save: always, metadata } = asked
  const parts = permissionParts({ action, patterns, metadata, input })
  return { id, session, kind: "permission", action, parts, always }
}

const Messages = z.array(
  z.object({
    id: z.string(),
    content: z
      .array(
        z.object({
          id: z.string().optional(),
          state: z
            .object({ input: z.record(z.string(), z.unknown()).optional().catch(undefined) })
            .optional(),
        }),
      )
      .default([]),
  }),
)

/** What the call was given that asks. */
export function inputIn(
  messages: unknown,
  { messageID, id }: { messageID?: string | undefined; id?: string | undefined },
): Input {
  const message = Messages.parse(messages).find((each) => each.id === messageID)
  const call = message?.content.find((part) => part.id !== undefined && part.id === id)
  return call?.state?.input ?? "unreadable"
}

const Text = z.string().optional()
const Created = z.object({
  data: z.object({
    form: z.object({
      id: z.string(),
      sessionID: z.string(),
      fields: z.array(
        z.object({
          key: z.string(),
          type: z.string(),
          title: Text,
          description: Text,
          options: z.array(z.object({ value: z.string(), label: z.string(), description: Text })).optional(),
          custom: z.boolean().optional(),
          url: Text,
        }),
      ),
    }),
  }),
})

/** The questions that wait for an answer, as they were heard of: opencode 2 tells its plugins of none. */
export class Forms {
  /** By request, of all instances: one that a reload has made has not heard of those before it. */
  readonly #open = shared("forms of opencode 2, 1", () => new Map<string, { session: string; form: Form }>())

  readonly #waiting = new Map<string, () => void>()

  /** Every event of opencode comes by here. */
  hearUndecoded(event: unknown): void {
    if (typeOf(event) !== "form.created") return
    const created = Created.safeParse(event)
    if (!created.success) return
    const { sessionID: session, ...form } = created.data.data.form
    this.#open.set(form.id, { session, form })
  }

  closed(request: string): void {
    this.#open.delete(request)
    this.#waiting.get(request)?.()
  }

  ended(session: string): void {
    for (const [id, open] of this.#open) if (open.session === session) this.closed(id)
  }

  /** Returns when it is no longer asked, or after so many milliseconds. Whether it is no longer asked. */
  async untilClosed(request: string, mostMs: number): Promise<boolean> {
    const closed = new Promise<boolean>((resolve) => this.#waiting.set(request, () => resolve(true)))
    return within(mostMs, closed, () => false).finally(() => this.#waiting.delete(request))
  }

  request(session: string, id: string): Request | undefined {
    const open = this.#open.get(id)
    return open?.session === session
      ? { id, session, kind: "question", questions: questionsOf(open.form) }
      : undefined
  }
}
