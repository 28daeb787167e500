#!/usr/bin/env node
import { openInBrowser } from "./browser.ts"
import { runCli } from "./cli.ts"

process.exitCode = await runCli(process.argv.slice(2), {
  write: (text) => process.stdout.write(text),
  complain: (text) => process.stderr.write(text),
  open: (link) => openInBrowser(link),
})
