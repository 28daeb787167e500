import { readFileSync } from "node:fs"
import type { Plugin } from "esbuild"
import { clientParts } from "../src/plugin/host/v1/client-parts.ts"

const getter = /^ {4}get (\w+)\(\) \{\n.*\n {4}\}\n/gm

/**
 * Leaves out of opencode's generated client what is not used: it reaches each of its classes by a getter, so that a
 * bundler keeps them all.
 */
export const usedClient: Plugin = {
  name: "used-client",
  setup(build) {
    build.onLoad({ filter: /@opencode-ai[\\/]sdk[\\/].*sdk\.gen\.js$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8")
      const start = text.indexOf("export class OpencodeClient ")
      const used = new Set<string>(clientParts)
      const missing = new Set(used)
      const client = text.slice(start).replace(getter, (whole, name) => {
        missing.delete(name)
        return used.has(name) ? whole : ""
      })
      if (start < 0 || missing.size > 0)
        throw new Error(`opencode's client has changed: ${[...missing].join(", ")} are not found in ${path}`)
      return { contents: text.slice(0, start) + client, loader: "js" }
    })
  },
}
