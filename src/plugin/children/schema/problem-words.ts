import type { ErrorObject } from "ajv/dist/core.js"
import { toDotPath } from "zod/v4/core"
import { excerpt } from "../../records/words.ts"

/** Characters of one problem, and of the wrong value in it. */
const longestProblem = 160
const longestValue = 60

type Problem = Pick<ErrorObject, "instancePath" | "keyword" | "params" | "propertyName" | "data">

/** What ajv has found wrong, for people and for the model that is to correct it: `findings[0].line is "3": it must be a whole number`. */
export function problemWords(problem: Problem): string {
  return excerpt(whole(problem), longestProblem)
}

function whole({ instancePath, keyword, params, propertyName, data }: Problem): string {
  const steps = stepsOf(instancePath)
  const field = (name: unknown) => placeOf([...steps, String(name)])
  switch (keyword) {
    case "required":
      return `${field(params.missingProperty)} is missing`
    case "dependentRequired":
    case "dependencies":
      return `${field(params.missingProperty)} is missing, which must be there where ${field(params.property)} is`
    case "additionalProperties":
      return `${field(params.additionalProperty)} is a field too many`
    case "unevaluatedProperties":
      return `${field(params.unevaluatedProperty)} is a field too many`
    case "false schema":
      return `${placeOf(steps)} must not be there`
    case "uniqueItems":
      return `${placeOf(steps)} has the same item twice`
  }
  const subject =
    propertyName === undefined
      ? `${placeOf(steps)} is ${shown(data)}: it`
      : `${placeOf(steps)} has the name ${JSON.stringify(propertyName)}: it`
  return `${subject} ${requirementOf(keyword, params)}`
}

/** What is asked of a value, in words that go on after "it". */
function requirementOf(keyword: string, params: Record<string, unknown>): string {
  const { limit } = params
  switch (keyword) {
    case "type":
      return `must be ${[params.type].flat().map(nameOfType).join(" or ")}`
    case "enum":
      return `must be one of ${[params.allowedValues].flat().map(json).join(", ")}`
    case "const":
      return `must be ${json(params.allowedValue)}`
    case "pattern":
      return `must match the pattern ${json(params.pattern)}`
    case "multipleOf":
      return `must be a multiple of ${json(params.multipleOf)}`
    case "minimum":
      return `must be at least ${json(limit)}`
    case "maximum":
      return `must be at most ${json(limit)}`
    case "exclusiveMinimum":
      return `must be above ${json(limit)}`
    case "exclusiveMaximum":
      return `must be below ${json(limit)}`
    case "minLength":
      return `must have at least ${counted(limit, "character")}`
    case "maxLength":
      return `must have at most ${counted(limit, "character")}`
    case "minItems":
      return `must have at least ${counted(limit, "item")}`
    case "maxItems":
    case "items":
    case "unevaluatedItems":
      return `must have at most ${counted(limit, "item")}`
    case "minProperties":
      return `must have at least ${counted(limit, "field")}`
    case "maxProperties":
      return `must have at most ${counted(limit, "field")}`
    case "contains": {
      const { minContains, maxContains } = params
      const most = maxContains === undefined ? "" : ` and at most ${json(maxContains)}`
      return `must have at least ${json(minContains)}${most} of the items that "contains" asks for`
    }
    case "anyOf":
      return 'must fit one of the schemas in "anyOf"'
    case "oneOf":
      return 'must fit one of the schemas in "oneOf", and no other of them'
    case "if":
      return `must fit the schema in ${json(params.failingKeyword)}`
    case "not":
      return 'must not fit the schema in "not"'
    default:
      return `must fit what ${json(keyword)} asks for`
  }
}

function stepsOf(instancePath: string): (string | number)[] {
  return instancePath
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
}

const placeOf = (steps: (string | number)[]) => toDotPath(steps) || "the value"

const nameOfType = (type: unknown) => typeNames.get(type) ?? String(type)

const typeNames = new Map<unknown, string>([
  ["string", "text"],
  ["integer", "a whole number"],
  ["number", "a number"],
  ["boolean", "true or false"],
  ["array", "a list"],
  ["object", "an object"],
])

function counted(count: unknown, unit: string): string {
  return `${json(count)} ${unit}${count === 1 ? "" : "s"}`
}

/** What is large is named alone. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (value instanceof Object) return "an object"
  return typeof value === "string" ? excerpt(json(value), longestValue) : json(value)
}

const json = (value: unknown) => JSON.stringify(value)
