import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it, onTestFinished } from "vitest"
import * as z from "zod"
import { tempFolder } from "../../../support/temp-folder.ts"

/** The plugin as it is built. */
const dist = join(import.meta.dirname, "../../../../dist")

const Coverage = z.object({ result: z.array(z.object({ url: z.string() })) })

/** The files that a process has loaded which loads the plugin. */
function loadedFiles(): string[] {
  const temp = tempFolder("loaded-late")
  onTestFinished(temp.remove)
  const env = { ...process.env, NODE_V8_COVERAGE: temp.path }
  execFileSync(process.execPath, [join(dist, "server.js")], { env })
  const [name = ""] = readdirSync(temp.path)
  const { result } = Coverage.parse(JSON.parse(readFileSync(join(temp.path, name), "utf8")))
  return result.flatMap(({ url }) => (url.startsWith("file:") ? [fileURLToPath(url)] : []))
}

const checksAnswers = (path: string) => readFileSync(path, "utf8").includes("unevaluatedProperties")

it("What checks answers against schemas is not loaded with the plugin: most owners have no task with one", () => {
  const loaded = loadedFiles()
  expect(loaded).toContain(join(dist, "server.js"))
  expect(loaded.filter(checksAnswers)).toEqual([])
  const chunks = readdirSync(join(dist, "chunks")).map((name) => join(dist, "chunks", name))
  expect(chunks.filter(checksAnswers)).toHaveLength(1)
})
