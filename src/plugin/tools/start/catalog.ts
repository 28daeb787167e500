import type { HostAgent, HostModel, Result, ToolCall } from "../../host/port.ts"
import type { Owner } from "../../owners/lineage.ts"
import type { Services } from "../services.ts"

/** What tasks may name. `models`: none where neither a task nor an option names one. */
export type Catalog = { agents: HostAgent[]; models: HostModel[] }

const noModels: Result<HostModel[]> = { ok: true, value: [] }

export async function lookUp(
  { host, options }: Services,
  tasks: unknown[],
  call: ToolCall,
): Promise<{ catalog: Catalog; owner: Owner }> {
  const namesModel =
    Object.keys(options.fallback).length > 0 ||
    tasks.some((task) => typeof task === "object" && task !== null && "model" in task)
  const [agents, session, model, models] = await Promise.all([
    host.agents(call.place.session),
    host.session(call.place.session),
    host.modelOf(call.place),
    namesModel ? host.models(call.place.session) : noModels,
  ])
  const known = answered(agents)
  return {
    catalog: { agents: known, models: answered(models) },
    owner: {
      rules: answered(session).rules,
      agent: known.find(({ name }) => name === call.agent),
      ...answered(model),
    },
  }
}

/** The same, with all models and their prices. */
export async function withPrices(
  { host }: Pick<Services, "host">,
  { agents, models }: Catalog,
  { place }: ToolCall,
): Promise<Catalog> {
  return { agents, models: models.length > 0 ? models : answered(await host.models(place.session)) }
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`opencode did not answer (${result.error.message}); nothing was started`)
}
