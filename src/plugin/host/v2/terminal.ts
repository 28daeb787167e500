import * as z from "zod"
import { contract, type PassedAnswer, type TerminalService } from "../../../terminal/contract.ts"
import { wordsOf } from "../../util/error-words.ts"
import { shared } from "../../util/process-wide.ts"
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

/** Those of all locations in this process. */
const services = shared("terminal services of opencode 2, 1", () => new Set<TerminalService>())

/**
 * Who has these jobs: a terminal asks where their owner is now, and its jobs stay with the instance where it began. Who
 * has been asked where nobody has any.
 */
function whoHas(own: TerminalService, has: (service: TerminalService) => boolean): TerminalService {
  return has(own) ? own : ([...services].find(has) ?? own)
}

const hasOwner = (owner: string) => (service: TerminalService) =>
  service.glance({ owner, most: 1 }).jobs.length > 0

const hasJob = (session: string) => (service: TerminalService) =>
  service.list({}).jobs.some((job) => job.session === session)

export type Channel = TerminalChannel & {
  /** Has the terminals that are there give an answer. What comes of it opencode tells. */
  answer(passed: PassedAnswer): void
}

/** Over opencode's RPC, which reaches a terminal on another machine as well. */
export async function openChannel(
  rpc: NonNullable<Context["rpc"]>,
  service: TerminalService,
): Promise<Channel> {
  const of = (owner: string) => whoHas(service, hasOwner(owner))
  const at = (session: string) => whoHas(service, hasJob(session))
  const registered = await rpc.register(contract, {
    list: answering(List, (given) => (given.owner === undefined ? service : of(given.owner)).list(given)),
    glance: answering(AtMost, (given) => of(given.owner).glance(given)),
    read: answering(Job, (given) => at(given.session).read(given)),
    inspect: answering(Nothing, () => service.inspect()),
    cancel: answering(Job, (given) => {
      at(given.session).cancel(given)
      return {}
    }),
    send: answering(Message, async (given) => {
      await at(given.session).send(given)
      return {}
    }),
  })
  const { dispose, events } = Registration.parse(registered)
  services.add(service)
  // Who does not hear of a change asks anew with the next one.
  const emit = (...event: Parameters<typeof events.emit>) =>
    void Promise.resolve(events.emit(...event)).catch(() => {})
  return {
    answer: (passed) => emit("answer", passed),
    changed: (owner) => emit("changed", { owner }),
    toast: ({ leadsTo, ...toast }) =>
      emit("toast", { ...toast, ...(leadsTo && { session: leadsTo.session }) }),
    end: async () => {
      services.delete(service)
      await dispose()
    },
  }
}
