import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import type { Metafile } from "esbuild"
import * as z from "zod"

const Manifest = z.object({ name: z.string(), version: z.string(), license: z.string() })

/** Packages without a licence file of their own, and the one of the same project and licence that has it. */
const licensedWith: Record<string, string> = { "@opencode-ai/sdk": "opencode-ai" }

/**
 * The notices of all packages whose code is in these bundles: nearly every licence lets their code go along only with
 * its text.
 * @throws Error that names a package whose text is not to be found.
 */
export function thirdPartyLicenses(bundles: readonly Metafile[]): string {
  const folders = [...new Set(bundles.flatMap(packageFolders))].sort()
  const notices = folders.map((folder) => {
    const { name, version, license } = Manifest.parse(JSON.parse(read(folder, "package.json")))
    return `${heading(name)}@${version} (${license})\n\n${licenseText(folder, name).trim()}\n`
  })
  return ["opencode-troupe contains code of these packages.\n", ...notices].join(`\n${"-".repeat(80)}\n\n`)
}

/** How the notice of a package begins. */
export const heading = (name: string) => `Package: ${name}`

function packageFolders({ outputs }: Metafile): string[] {
  return Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .flatMap(([path]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [])
}

function licenseText(folder: string, name: string): string {
  const other = licensedWith[name]
  for (const place of other === undefined ? [folder] : [folder, join("node_modules", other)]) {
    const file = existsSync(place) && readdirSync(place).find((each) => /^(licen[cs]e|copying)/i.test(each))
    if (file) return read(place, file)
  }
  throw new Error(
    `${name} goes into the package, but has no licence file: see scripts/third-party-licenses.ts`,
  )
}

const read = (folder: string, file: string) => readFileSync(join(folder, file), "utf8")
