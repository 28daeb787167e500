// opencode 2 takes this file of a folder that is named as a plugin; of a package it takes `exports`.
export { default } from "./dist/tui.js"
