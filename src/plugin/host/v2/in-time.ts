import { within } from "../../util/within.ts"
import type { Context } from "./api.ts"

/** Longest wait for an answer, milliseconds: opencode answers in 1 to 50. */
export const answerTimeout = 10_000

/** opencode gave no answer: whether the call had its effect is not known. */
export class NoAnswerError extends Error {
  constructor(waitedMs = answerTimeout) {
    super(`opencode gave no answer within ${waitedMs / 1000} s`)
  }
}

/**
 * The same opencode, of which nothing is waited for in vain: what follows a call that hangs would never happen. Turns
 * and hooks last as long as they last, and so do opencode's own tools, which may ask a person.
 */
export function inTime(context: Context): Context {
  const { agent, model, session, permission, storage, tool } = context
  const { remove } = session
  return {
    ...context,
    agent: { list: (of) => limited(agent.list(of)) },
    model: { list: () => limited(model.list()) },
    session: {
      create: (given) => limited(session.create(given)),
      get: (key) => limited(session.get(key)),
      context: (key) => limited(session.context(key)),
      prompt: (prompt) => limited(session.prompt(prompt)),
      synthetic: (message) => limited(session.synthetic(message)),
      wait: (key) => session.wait(key),
      interrupt: (key) => limited(session.interrupt(key)),
      update: (changes) => limited(session.update(changes)),
      switchModel: (choice) => limited(session.switchModel(choice)),
      move: (to) => limited(session.move(to)),
      hook: session.hook.bind(session),
      ...(remove && { remove: (key) => limited(remove.call(session, key)) }),
    },
    permission: {
      list: (key) => limited(permission.list(key)),
      reply: (answer) => limited(permission.reply(answer)),
      hook: permission.hook.bind(permission),
    },
    storage: {
      get: (key) => limited(storage.get(key)),
      set: (key, value) => limited(storage.set(key, value)),
      remove: (key) => limited(storage.remove(key)),
      scan: (range) => limited(storage.scan(range)),
    },
    tool: {
      list: () => limited(tool.list()),
      transform: tool.transform.bind(tool),
    },
  }
}

const limited = <Answer>(asked: Promise<Answer>): Promise<Answer> =>
  within(answerTimeout, asked, () => Promise.reject(new NoAnswerError()))
