import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const require = createRequire(import.meta.url)

/**
 * The opencode executable the devDependency `opencode-ai` brings: that of its package for this platform, or the
 * one its install script put beside it where that package is named otherwise (musl, CPUs without AVX2).
 */
export function opencodeBinary(): string {
  const system = process.platform === "win32" ? "windows" : process.platform
  const name = process.platform === "win32" ? "opencode.exe" : "opencode"
  const candidates = [
    binaryOf(`opencode-${system}-${process.arch}`, name),
    binaryOf("opencode-ai", "opencode.exe"),
  ].filter((path) => path !== undefined)
  const found = candidates.find((path) => existsSync(path))
  if (!found) throw new Error(`No opencode executable (${candidates.join(", ")}). Run: npm install`)
  return found
}

function binaryOf(packageName: string, file: string): string | undefined {
  try {
    return join(dirname(require.resolve(`${packageName}/package.json`)), "bin", file)
  } catch {
    return undefined
  }
}
