import { readFile } from "node:fs/promises"
import * as z from "zod"
import { MachineAnswer } from "./api.ts"

/** What scripts/build-page.ts makes. */
export type PageFiles = {
  html: string
  js: string
  css: string
  machines: ReadonlyMap<string, MachineAnswer>
}

/** @param folder where the build put them. Built, this module is in dist/chunks. */
export async function readPageFiles(folder = new URL("../page/", import.meta.url)): Promise<PageFiles> {
  const read = (name: string) => readFile(new URL(name, folder), "utf8")
  const [html, js, css, machines] = await Promise.all([
    read("page.html"),
    read("page.js"),
    read("page.css"),
    read("machines.json"),
  ])
  const parsed = z.array(MachineAnswer).parse(JSON.parse(machines))
  return { html, js, css, machines: new Map(parsed.map((machine) => [machine.id, machine])) }
}
