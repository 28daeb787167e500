import { mkdir, readFile, writeFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { build, type Metafile } from "esbuild"
import type { MachineAnswer } from "../src/inspector/http/api.ts"
import type { PageFiles } from "../src/inspector/http/page-files.ts"
import { jobMachine } from "../src/machines/job-machine.ts"
import { supervisorMachine } from "../src/machines/supervisor-machine.ts"
import { systemMachine } from "../src/machines/system-machine.ts"
import { drawMachine } from "./draw-machine.ts"

const source = new URL("../src/inspector/page/", import.meta.url)

/** The inspector's page as it ships: three files, and the machines laid out for drawing. */
export async function buildPage(): Promise<PageFiles & { metafile: Metafile }> {
  const { outputFiles, metafile } = await build({
    entryPoints: [fileURLToPath(new URL("main.tsx", source)), fileURLToPath(new URL("page.css", source))],
    outdir: "page",
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "preact",
  })
  const output = (ending: string) => {
    const file = outputFiles.find(({ path }) => path.endsWith(ending))
    if (!file) throw new Error(`esbuild made no ${ending}`)
    return file.text
  }
  const machines = [jobMachine, supervisorMachine, systemMachine].map((machine): [string, MachineAnswer] => [
    machine.id,
    drawMachine(machine),
  ])
  return {
    html: await readFile(new URL("page.html", source), "utf8"),
    js: output(".js"),
    css: output(".css"),
    machines: new Map(machines),
    metafile,
  }
}

/**
 * @param folder such as `dist/page/`, where `readPageFiles` looks beside the code.
 * @returns what went into the page.
 */
export async function writePage(folder: URL): Promise<Metafile> {
  const { html, js, css, machines, metafile } = await buildPage()
  await mkdir(folder, { recursive: true })
  const files = { "page.html": html, "page.js": js, "page.css": css }
  for (const [name, text] of Object.entries(files)) await writeFile(new URL(name, folder), text)
  await writeFile(new URL("machines.json", folder), JSON.stringify([...machines.values()]))
  return metafile
}
