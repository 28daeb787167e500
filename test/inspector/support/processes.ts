import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"
import { build } from "esbuild"
import { opencodeBinary } from "../../support/opencode-binary.ts"

/** Where inspectors run: opencode is one executable with Bun in it. */
export const runtimes: [name: string, file: string, env: NodeJS.ProcessEnv][] = [
  ["Node", process.execPath, {}],
  ["opencode's Bun", opencodeBinary(), { BUN_BE_BUN: "1" }],
]

/** Makes one file of a module of `test/inspector`, which any of them runs. */
export async function bundle(module: string, outfile: string): Promise<string> {
  await build({
    entryPoints: [join(import.meta.dirname, "..", module)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "warning",
  })
  return outfile
}

export type InspectorProcess = {
  child: ChildProcess
  url: string
  /** What it takes for failures of its own; opencode's log has them. */
  reported: string[]
}

/** Starts `inspector-process.ts`; it ends with this process, or as it is told to. */
export async function startProcess(
  file: string,
  script: string,
  env: NodeJS.ProcessEnv,
): Promise<InspectorProcess> {
  const child = spawn(file, [script], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  })
  const url = await new Promise<string>((resolve) =>
    child.stdout.once("data", (said) => resolve(String(said).trim())),
  )
  const reported: string[] = []
  child.stdout.on("data", (said) => reported.push(String(said)))
  return { child, url, reported }
}
