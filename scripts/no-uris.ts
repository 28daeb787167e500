import type { Plugin } from "esbuild"

/** Leaves out what ajv resolves URIs with: schemas refer to places of their own alone (`withinSchema` in `validator.ts`). */
export const noUris: Plugin = {
  name: "no-uris",
  setup(build) {
    build.onResolve({ filter: /^fast-uri$/ }, ({ path }) => ({ path, namespace: "no-uris" }))
    build.onLoad({ filter: /.*/, namespace: "no-uris" }, () => ({ contents: "module.exports = {}" }))
  },
}
