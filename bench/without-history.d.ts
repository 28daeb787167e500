declare module "without-history:troupe" {
  export { createTroupe } from "../src/machines/troupe.ts"
}
