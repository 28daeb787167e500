// What opencode lends: `solid.ts` says what is used of it.
declare module "opentui:runtime-module:solid-js"
declare module "opentui:runtime-module:%40opentui%2Fsolid"
declare module "solid-js"
declare module "@opentui/solid"
