import * as z from "zod"
import { contract, type TerminalService } from "../../../terminal/contract.ts"
import type { TerminalChannel } from "../port.ts"
import type { Context } from "./api.ts"

const List = z.object({ owner: z.string().optional() })
const AtMost = z.object({ owner: z.string(), most: z.number() })
const Job = z.object({ session: z.string() })
const Message = z.object({ session: z.string(), message: z.string() })

type Registration = {
  dispose(): Promise<unknown>
  events: { emit(name: "changed" | "toast", data: object): Promise<unknown> }
}
const method = z.custom<(...given: never[]) => unknown>((value) => typeof value === "function")
const Registration = z.custom<Registration>(
  (value) => z.object({ dispose: method, events: z.object({ emit: method }) }).safeParse(value).success,
)

/** Over opencode's RPC, which reaches a terminal on another machine as well. */
export async function openChannel(
  rpc: NonNullable<Context["rpc"]>,
  service: TerminalService,
): Promise<TerminalChannel> {
  const registered = await rpc.register(contract, {
    list: async (given: unknown) => service.list(List.parse(given)),
    glance: async (given: unknown) => service.glance(AtMost.parse(given)),
    read: async (given: unknown) => service.read(Job.parse(given)),
    inspect: () => service.inspect(),
    cancel: async (given: unknown) => {
      service.cancel(Job.parse(given))
      return {}
    },
    send: async (given: unknown) => {
      await service.send(Message.parse(given))
      return {}
    },
  })
  const { dispose, events } = Registration.parse(registered)
  // Who does not hear of a change asks anew with the next one.
  const emit = (...event: Parameters<typeof events.emit>) =>
    void Promise.resolve(events.emit(...event)).catch(() => {})
  return {
    changed: (owner) => emit("changed", { owner }),
    toast: ({ leadsTo, ...toast }) =>
      emit("toast", { ...toast, ...(leadsTo && { session: leadsTo.session }) }),
    end: async () => void (await dispose()),
  }
}
