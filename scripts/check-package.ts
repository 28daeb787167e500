import { execFileSync, spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { createRequire, isBuiltin } from "node:module"
import { homedir, tmpdir } from "node:os"
import { dirname, join, relative, sep } from "node:path"
import { pathToFileURL } from "node:url"
import { build } from "esbuild"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { heading } from "./third-party-licenses.ts"

/**
 * Packs the package as `npm publish` would, installs the tarball into an empty folder, and looks at what a user would
 * get. It takes dist/ as it is: build first. Needs no network.
 */

/**
 * Kilobytes (1000 bytes). An install of a plugin should not be noticed. ajv, which is loaded only for tasks with a
 * schema, takes 46 packed and 190 unpacked.
 */
const bounds = { packed: 390, unpacked: 1_400 }

const allowed = /^(dist\/.+|server\.js|tui\.js|README\.md|LICENSE|package\.json)$/
const required = [
  "README.md",
  "LICENSE",
  "server.js",
  "dist/server.js",
  "dist/server.d.ts",
  "tui.js",
  "dist/tui.js",
  "dist/tui.d.ts",
  "dist/options.schema.json",
]
const licenses = "dist/THIRD-PARTY-LICENSES.txt"

const root = join(import.meta.dirname, "..")
const require = createRequire(import.meta.url)

if (!existsSync(join(root, "dist", "server.js"))) {
  console.error("The package check failed:\n- there is no dist/server.js. Run: npm run build")
  process.exit(1)
}
const work = mkdtempSync(join(tmpdir(), "troupe-check-"))
try {
  await main()
} finally {
  rmSync(work, { recursive: true, force: true })
}

async function main() {
  const tarball = pack()
  const folder = install(tarball)
  const files = filesIn(folder)
  const kilobytes = {
    packed: statSync(tarball).size / 1000,
    unpacked: files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0) / 1000,
  }
  const problems = [
    ...contents(files),
    ...sizes(kilobytes),
    ...machinePaths(folder, files),
    ...(await notices(folder, files)),
    ...(await entry(folder)),
    ...(await packageLint(tarball)),
    ...typeLint(tarball),
  ]
  if (problems.length > 0) {
    console.error(["The package check failed:", ...problems.map((each) => `- ${each}`)].join("\n"))
    process.exitCode = 1
    return
  }
  const size = (name: keyof typeof bounds) => `${Math.round(kilobytes[name])} of at most ${bounds[name]} kB`
  console.log(
    `The package is sound: ${files.length} files, ${size("packed")} packed, ${size("unpacked")} unpacked.`,
  )
}

function pack(): string {
  npm(root, "pack", "--ignore-scripts", "--silent", "--pack-destination", work)
  const tarball = readdirSync(work).find((file) => file.endsWith(".tgz"))
  if (!tarball) throw new Error("npm pack made no tarball")
  return join(work, tarball)
}

/** Returns the folder of the installed package. */
function install(tarball: string): string {
  const project = join(work, "project")
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), `{ "private": true }\n`)
  npm(project, "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", tarball)
  return join(project, "node_modules", "opencode-troupe")
}

function npm(cwd: string, ...args: string[]): void {
  execFileSync("npm", args, { cwd, stdio: "pipe", shell: process.platform === "win32" })
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort()
}

function contents(files: readonly string[]): string[] {
  return [
    ...required.filter((file) => !files.includes(file)).map((file) => `${file} is missing`),
    ...files.filter((file) => !allowed.test(file)).map((file) => `${file} does not belong into the package`),
  ]
}

function sizes(kilobytes: typeof bounds): string[] {
  return (["packed", "unpacked"] as const)
    .filter((name) => kilobytes[name] > bounds[name])
    .map((name) => `${Math.round(kilobytes[name])} kB ${name}, at most ${bounds[name]} are allowed`)
}

function machinePaths(folder: string, files: readonly string[]): string[] {
  const places = [root, homedir()].flatMap((path) => [path + sep, pathToFileURL(path + sep).href])
  return files.flatMap((file) => {
    const text = readFileSync(join(folder, file), "utf8")
    return places
      .filter((place) => text.includes(place))
      .map((place) => `${file} names ${place} of this machine`)
  })
}

async function notices(folder: string, files: readonly string[]): Promise<string[]> {
  if (!files.includes(licenses)) return [`${licenses} is missing`]
  const text = readFileSync(join(folder, licenses), "utf8")
  return (await importedPackages(files))
    .filter((name) => !text.includes(`${heading(name)}@`))
    .map((name) => `${licenses} has no notice of ${name}, which src/ imports`)
}

/** The packages that our code imports at run time, read from the code itself and not from what the build said. */
async function importedPackages(files: readonly string[]): Promise<string[]> {
  const hasPage = files.some((file) => file.startsWith("dist/page/"))
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      "src/plugin/server.ts",
      "src/cli/bin.ts",
      ...(hasPage ? ["src/inspector/page/main.tsx"] : []),
    ],
    outdir: "nowhere",
    write: false,
    metafile: true,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
    jsx: "automatic",
    jsxImportSource: "preact",
    logLevel: "error",
  })
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports)
  const packages = imports
    .filter(({ path, external }) => external && !isBuiltin(path))
    .map(({ path }) => path.split("/", path.startsWith("@") ? 2 : 1).join("/"))
  return [...new Set(packages)].sort()
}

async function entry(folder: string): Promise<string[]> {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))
  const problems = Object.keys(manifest.dependencies ?? {}).map(
    (name) => `package.json depends on ${name}: all that is needed is bundled`,
  )
  // As a user's project resolves it, from the outside.
  const probe = join(folder, "..", "..", "probe.mjs")
  writeFileSync(probe, `export { default } from "opencode-troupe/server"\n`)
  try {
    const { default: plugin } = await import(pathToFileURL(probe).href)
    if (typeof plugin?.server !== "function")
      problems.push(`the default export of "./server" has no server()`)
    if (plugin && "tui" in plugin)
      problems.push(`"./server" exports tui too: opencode takes one of them alone`)
    if (typeof plugin?.id !== "string")
      problems.push(`"./server" has no id: opencode requires one of a plugin in a folder`)
  } catch (error) {
    problems.push(`"./server" cannot be loaded: ${error}`)
  }
  return problems
}

async function packageLint(tarball: string): Promise<string[]> {
  const { buffer, byteOffset, length } = readFileSync(tarball)
  const { messages, pkg } = await publint({
    pack: { tarball: buffer.slice(byteOffset, byteOffset + length) },
    strict: true,
  })
  return messages.map(
    (message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`,
  )
}

function typeLint(tarball: string): string[] {
  const attw = join(dirname(require.resolve("@arethetypeswrong/cli/package.json")), "dist", "index.js")
  const args = [attw, tarball, "--profile", "esm-only", "--no-color", "--no-emoji", "--format", "ascii"]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" })
  return status === 0 ? [] : [`arethetypeswrong:\n${stdout}${stderr}`.trim()]
}
