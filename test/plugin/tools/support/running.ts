import { testServices } from "../../support/services.ts"

/** A task that says what it is for. */
export const task = (id: string, fields: object = {}) => ({ id, prompt: `do ${id}`, ...fields })

/** Services at which these jobs run, each to be answered by the test. */
export async function running(...ids: string[]) {
  const services = testServices()
  await services.call("agents_start", { tasks: ids.map((id) => task(id)) })
  const prompt = (id: string) => services.host.prompts.find((asked) => asked.prompt.text === `do ${id}`)
  return { ...services, answer: (id: string, text: string) => prompt(id)?.answer(text) }
}
