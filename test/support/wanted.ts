import type { Generation } from "./any-opencode.ts"

const wanted = process.env.OPENCODE ?? ""
if (!/^(1|1\.18|2)?$/.test(wanted)) {
  throw new Error(`OPENCODE is "${wanted}": it must be 1.18 or 2, or nothing for both`)
}

/** Whether the tests are to run on this generation of opencode: OPENCODE may name one of them. */
export const isWanted = (generation: Generation) => wanted === "" || wanted.startsWith(`${generation}`)
