/** Copies of src/machines/troupe.ts, one for each arm of a measurement: made by `unwatched.ts`. */
declare module "troupe:warm-up" {
  export { createTroupe } from "../src/machines/troupe.ts"
}
declare module "troupe:without-history" {
  export { createTroupe } from "../src/machines/troupe.ts"
}
declare module "troupe:with-history" {
  export { createTroupe } from "../src/machines/troupe.ts"
}
declare module "troupe:with-inspector" {
  export { createTroupe } from "../src/machines/troupe.ts"
}
