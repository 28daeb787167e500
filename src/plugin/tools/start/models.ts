import type { HostModel, ModelChoice } from "../../host/port.ts"
import type { Options } from "../../options.ts"
import { excerpt } from "../../records/words.ts"
import { listed } from "../services.ts"

/** A model and its fallbacks, or why they cannot be had. */
export function chosenInTurn(models: readonly HostModel[], asked: readonly string[]): ModelChoice[] | string {
  const twin = asked.find((model, at) => asked.indexOf(model) !== at)
  if (twin !== undefined) return `the model "${twin}" is listed twice`
  const choices: ModelChoice[] = []
  for (const model of asked) {
    const choice = chosen(models, model)
    if (typeof choice === "string") return choice
    choices.push(choice)
  }
  return choices
}

/** What the user's option has for a model; those that opencode does not have are left out. */
export function optionalFallbacks(
  fallback: Options["fallback"],
  models: readonly HostModel[],
  model: string | undefined,
): ModelChoice[] | undefined {
  const others = Object.entries(fallback).find(([name]) => name === model)?.[1]
  return others?.map((each) => chosen(models, each)).filter((choice) => typeof choice !== "string")
}

/** What is wrong in that option, in words for people. */
export function wrongFallbacks(fallback: Options["fallback"], models: readonly HostModel[]): string[] {
  return Object.entries(fallback).flatMap(([model, others]) =>
    [model, ...others].flatMap((name) => {
      const choice = chosen(models, name)
      return typeof choice === "string" ? [`option "fallback": ${choice}; it is left out`] : []
    }),
  )
}

/** What opencode calls `provider/model` or `provider/model#variant`, or why there is none. */
function chosen(models: readonly HostModel[], asked: string): ModelChoice | string {
  if (models.some(({ name }) => name === asked)) return { model: asked }
  const hash = asked.lastIndexOf("#")
  const [model, variant] = [asked.slice(0, hash), asked.slice(hash + 1)]
  const known = hash === -1 ? undefined : models.find(({ name }) => name === model)
  if (!known) {
    const meant = endingIn(models, asked)
    const others =
      meant.length > 0
        ? `did you mean: ${listed(meant, 5)}?`
        : `available: ${listed(closest(models, asked), 20)}`
    return `no model "${excerpt(asked)}"; ${others}`
  }
  const { variants } = known
  if (variants.includes(variant)) return { model, variant }
  return variants.length === 0
    ? `the model "${model}" has no variants`
    : `the model "${model}" has no variant "${variant}"; it has: ${listed(variants, 20)}`
}

/** Those that may be meant where somebody left out the provider, or the beginning of a model's own name. */
function endingIn(models: readonly HostModel[], asked: string): string[] {
  const ending = (end: string) => models.map(({ name }) => name).filter((name) => name.endsWith(`/${end}`))
  const end = asked.replace(/^\/+/, "")
  const whole = ending(end)
  const hash = end.lastIndexOf("#")
  if (whole.length > 0 || hash === -1) return whole
  return ending(end.slice(0, hash)).map((model) => `${model}${end.slice(hash)}`)
}

/** Those of the same provider first. */
function closest(models: readonly HostModel[], asked: string): string[] {
  const provider = asked.slice(0, asked.indexOf("/") + 1)
  const near = (model: string) => (model.startsWith(provider) ? 0 : 1)
  return models.map(({ name }) => name).toSorted((a, b) => near(a) - near(b))
}
