import { readFileSync } from "node:fs"

export type RecipeCall = { tool: string; args: object }

/** Each recipe of docs/recipes.md by its heading, with its calls in their order. */
export function readRecipes(): Map<string, RecipeCall[]> {
  const text = readFileSync(new URL("../../docs/recipes.md", import.meta.url), "utf8")
  const chapters = text.split(/^## /m).slice(1)
  return new Map(
    chapters.map((chapter) => {
      const [heading = ""] = chapter.split("\n")
      return [
        heading,
        [...chapter.matchAll(/```jsonc\n([\s\S]*?)```/g)].flatMap(([, code = ""]) => callsIn(code)),
      ]
    }),
  )
}

/** Each begins a line: `agents_start {…}`. */
const callsIn = (code: string): RecipeCall[] =>
  code.split(/^(?=agents_)/m).map((call) => {
    const [, tool = "", args = ""] = call.match(/^(\w+) ([\s\S]*)$/) ?? []
    return { tool, args: JSON.parse(args) }
  })
