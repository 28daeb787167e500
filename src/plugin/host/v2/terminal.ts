import * as z from "zod"
import { contract, type PassedAnswer, type TerminalService } from "../../../terminal/contract.ts"
import { wordsOf } from "../../util/error-words.ts"
import type { TerminalChannel } from "../port.ts"
import type { Context } from "./api.ts"

const List = z.object({ owner: z.string().optional() })
const AtMost = z.object({ owner: z.string(), most: z.number() })
const Job = z.object({ session: z.string() })
const Nothing = z.unknown()
const Message = z.object({ session: z.string(), message: z.string() })

/** As `answer` of the contract has it. */
const answering =
  <Given>(schema: z.ZodType<Given>, answer: (given: Given) => object | Promise<object>) =>
  async (given: unknown): Promise<object> => {
    try {
      return await answer(schema.parse(given))
    } catch (error) {
      return { refused: wordsOf(error) }
    }
  }

type Registration = {
  dispose(): Promise<unknown>
  events: { emit(name: "changed" | "toast" | "answer", data: object): Promise<unknown> }
}
const method = z.custom<(...given: never[]) => unknown>((value) => typeof value === "function")
const Registration = z.custom<Registration>(
  (value) => z.object({ dispose: method, events: z.object({ emit: method }) }).safeParse(value).success,
)

export type Channel = TerminalChannel & {
  /** Has the terminals that are there give an answer. What comes of it opencode tells. */
  answer(passed: PassedAnswer): void
}

/** Over opencode's RPC, which reaches a terminal on another machine as well. */
export async function openChannel(
  rpc: NonNullable<Context["rpc"]>,
  service: TerminalService,
): Promise<Channel> {
  const registered = await rpc.register(contract, {
    list: answering(List, (given) => service.list(given)),
    glance: answering(AtMost, (given) => service.glance(given)),
    read: answering(Job, (given) => service.read(given)),
    inspect: answering(Nothing, () => service.inspect()),
    cancel: answering(Job, (given) => {
      service.cancel(given)
      return {}
    }),
    send: answering(Message, async (given) => {
      await service.send(given)
      return {}
    }),
  })
  const { dispose, events } = Registration.parse(registered)
  // Who does not hear of a change asks anew with the next one.
  const emit = (...event: Parameters<typeof events.emit>) =>
    void Promise.resolve(events.emit(...event)).catch(() => {})
  return {
    answer: (passed) => emit("answer", passed),
    changed: (owner) => emit("changed", { owner }),
    toast: ({ leadsTo, ...toast }) =>
      emit("toast", { ...toast, ...(leadsTo && { session: leadsTo.session }) }),
    end: async () => void (await dispose()),
  }
}
