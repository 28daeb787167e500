import type { Context } from "./api.ts"

/** What an opencode hands to a plugin: an older or newer one may lack any of it. */
export type Offered = { [Part in keyof Context]?: Partial<Context[Part]> | undefined }

type Call = () => Promise<never>

/**
 * A context in which everything is there: what this opencode lacks fails when it is called, by name, so that the rest
 * works.
 */
export function completed(offered: Offered): { context: Context; missing: string[] } {
  const { session, storage, tool, permission, agent, model, event, app, location, rpc } = offered
  const version = app?.version ?? "of an unknown version"
  const missing: string[] = []
  const lacking = (name: string): Call => {
    missing.push(name)
    return () => Promise.reject(new Error(`opencode ${version} offers its plugins no ${name}`))
  }
  const context: Context = {
    app: { version },
    location: { directory: location?.directory ?? process.cwd() },
    options: offered.options,
    agent: { list: agent?.list?.bind(agent) ?? lacking("agent.list") },
    model: { list: model?.list?.bind(model) ?? lacking("model.list") },
    session: {
      create: session?.create?.bind(session) ?? lacking("session.create"),
      get: session?.get?.bind(session) ?? lacking("session.get"),
      context: session?.context?.bind(session) ?? lacking("session.context"),
      prompt: session?.prompt?.bind(session) ?? lacking("session.prompt"),
      synthetic: session?.synthetic?.bind(session) ?? lacking("session.synthetic"),
      wait: session?.wait?.bind(session) ?? lacking("session.wait"),
      interrupt: session?.interrupt?.bind(session) ?? lacking("session.interrupt"),
      update: session?.update?.bind(session) ?? lacking("session.update"),
      switchModel: session?.switchModel?.bind(session) ?? lacking("session.switchModel"),
      move: session?.move?.bind(session) ?? lacking("session.move"),
      hook: session?.hook?.bind(session) ?? lacking("session.hook"),
      ...(session?.remove && { remove: session.remove.bind(session) }),
    },
    permission: {
      list: permission?.list?.bind(permission) ?? lacking("permission.list"),
      reply: permission?.reply?.bind(permission) ?? lacking("permission.reply"),
      hook: permission?.hook?.bind(permission) ?? lacking("permission.hook"),
    },
    storage: {
      get: storage?.get?.bind(storage) ?? lacking("storage.get"),
      set: storage?.set?.bind(storage) ?? lacking("storage.set"),
      remove: storage?.remove?.bind(storage) ?? lacking("storage.remove"),
      scan: storage?.scan?.bind(storage) ?? lacking("storage.scan"),
    },
    tool: {
      list: tool?.list?.bind(tool) ?? lacking("tool.list"),
      transform: tool?.transform?.bind(tool) ?? lacking("tool.transform"),
    },
    ...(rpc?.register && { rpc: { register: rpc.register.bind(rpc) } }),
    event: { subscribe: event?.subscribe?.bind(event) ?? noEvents(lacking("event.subscribe")) },
  }
  return { context, missing }
}

const noEvents = (fail: Call): Context["event"]["subscribe"] =>
  async function* () {
    yield await fail()
  }
