import type { Scheduler } from "fast-check"
import type { Host } from "../../../src/plugin/host/port.ts"

/** opencode takes each call, and answers it, when the scheduler says. What children are asked, the test answers. */
export function inAnyOrder(host: Host, scheduler: Scheduler): Host {
  const late =
    <Arguments extends unknown[], Answer>(name: string, call: (...given: Arguments) => Promise<Answer>) =>
    async (...given: Arguments): Promise<Answer> => {
      await scheduler.schedule(Promise.resolve(), `${name} is called`)
      const answer = await call(...given)
      await scheduler.schedule(Promise.resolve(), `${name} is answered`)
      return answer
    }
  return {
    problems: host.problems,
    hasLoaded: host.hasLoaded,
    createSession: late("createSession", host.createSession),
    setRules: late("setRules", host.setRules),
    deleteSession: late("deleteSession", host.deleteSession),
    session: late("session", host.session),
    sessionsSince: late("sessionsSince", host.sessionsSince),
    isBusy: late("isBusy", host.isBusy),
    children: late("children", host.children),
    messages: late("messages", host.messages),
    conversation: late("conversation", host.conversation),
    files: late("files", host.files),
    modelOf: late("modelOf", host.modelOf),
    begunDeliveries: late("begunDeliveries", host.begunDeliveries),
    updateStored: late("updateStored", host.updateStored),
    prompt: host.prompt,
    deliver: late("deliver", host.deliver),
    steer: late("steer", host.steer),
    request: late("request", host.request),
    answer: late("answer", host.answer),
    showProgress: late("showProgress", host.showProgress),
    abort: late("abort", host.abort),
    agents: late("agents", host.agents),
    offeredIn: late("offeredIn", host.offeredIn),
    models: late("models", host.models),
    ...(host.toast && { toast: late("toast", host.toast) }),
    log: late("log", host.log),
  }
}
