import type { HostAgent, HostModel, Result, ToolCall } from "../../host/port.ts"
import type { Owner } from "../../owners/lineage.ts"
import type { Services } from "../services.ts"

/** What tasks may name. Without `models`, neither a task nor an option names one. */
export type Catalog = { agents: HostAgent[]; models: HostModel[] | undefined }

export async function lookUp(
  { host, options }: Services,
  tasks: unknown[],
  call: ToolCall,
  needsPrices: boolean,
): Promise<{ catalog: Catalog; owner: Owner }> {
  const namesModel =
    Object.keys(options.fallback).length > 0 ||
    tasks.some((task) => typeof task === "object" && task !== null && "model" in task)
  const [agents, session, model, models] = await Promise.all([
    host.agents(call.place.session),
    host.session(call.place.session),
    host.modelOf(call.place),
    namesModel || needsPrices ? host.models(call.place.session) : undefined,
  ])
  const known = answered(agents)
  return {
    catalog: { agents: known, models: models && answered(models) },
    owner: {
      rules: answered(session).rules,
      agent: known.find(({ name }) => name === call.agent),
      ...answered(model),
    },
  }
}

function answered<T>(result: Result<T>): T {
  if (result.ok) return result.value
  throw new Error(`opencode did not answer (${result.error.message}); nothing was started`)
}
