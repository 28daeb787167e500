#!/usr/bin/env node
import { createInterface } from "node:readline"
import { openInBrowser } from "../inspector/discovery/browser.ts"
import { runCli } from "./cli.ts"

// Whoever reads has seen enough, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error
})

process.exitCode = await runCli(process.argv.slice(2), {
  write: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  open: (link) => openInBrowser(link),
  async ask(question) {
    process.stderr.write(question)
    for await (const line of createInterface({ input: process.stdin })) return line
    return undefined
  },
  // With regard to NO_COLOR.
  hasColours: process.stdout.isTTY && process.stdout.hasColors(),
  columns: process.stdout.columns,
})
