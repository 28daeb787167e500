import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import type { AnyOpencode, Generation, ProjectOptions } from "./any-opencode.ts"
import { atExit } from "./cleanup.ts"
import { projectConfig2 } from "./opencode-2.ts"
import { opencode2Binary } from "./opencode-2-binary.ts"
import { password2 } from "./opencode-2-server.ts"
import { opencodeBinary } from "./opencode-binary.ts"
import { longRunning, opencodeEnv } from "./opencode-env.ts"
import { killGroup } from "./process-group.ts"
import { makeProject } from "./project.ts"
import { type Stage, setStage } from "./stage.ts"
import { tempFolder } from "./temp-folder.ts"
import { poll } from "./waiters.ts"

const root = join(import.meta.dirname, "..", "..")

export type TuiOptions = ProjectOptions & {
  /** Shows a session of an opencode that runs already, which may be reached by another address than its own. */
  of?: { opencode: AnyOpencode; url: string; session: string }
  /** Whether 1.18 is told of the plugin's part in the terminal; opencode 2 finds it by itself. */
  hasPart?: boolean
}

/** The real terminal interface of opencode, in a terminal of 200 by 50 (wide enough for its sidebar). */
export interface Tui {
  readonly project: string
  readonly home: string
  /** Types the text as a person would, without an Enter. */
  type(text: string): void
  /** Presses keys by tmux's names: "Enter", "Escape", "C-p", "Down". */
  press(...keys: string[]): void
  /** Clicks on the first line that matches, where it matches, once it is there and moves no more. */
  click(pattern: RegExp): Promise<void>
  /** Moves the pointer into the corner, where nothing is chosen by it: it rests where it has clicked last. */
  leave(): void
  /** Makes the terminal so many columns wide, and so many lines high. Default: 50. */
  resize(columns: number, lines?: number): void
  /** Begins to listen, and tells what has been put on the clipboard since then, once something has. */
  watchClipboard(): () => Promise<string>
  /** What the terminal shows, without colours. */
  screen(): string
  /** The same with its colours, as escape codes. */
  styledScreen(): string
  /** Waits until the screen matches and returns it; the error shows the last screen. */
  waitForScreen(pattern: RegExp, timeoutMs?: number, everyMs?: number): Promise<string>
  stop(): Promise<void>
}

export async function startTui(options: TuiOptions, generation: Generation): Promise<Tui> {
  const { of, hasPart = options.plugin !== false } = options
  const stage = of ? stageOf(of.opencode) : generation === 1 ? await setStage(options) : setStage2(options)
  // What `opencode plugin` of 1.18 writes beside the entry in opencode.json.
  if (generation === 1 && hasPart) {
    const entry = (options.plugin ? options.plugin.path : undefined) ?? root
    writeFileSync(join(stage.project, "tui.json"), JSON.stringify({ plugin: [entry] }))
  }
  if (generation === 1) stopAnimations(stage.home)
  // A short path: the system limits that of a socket to about 100 characters.
  const folder = tempFolder("tmux")
  const env = {
    ...stage.env,
    ...longRunning,
    TERM: "xterm-256color",
    COLORTERM: "truecolor",
    LANG: "C.UTF-8",
  }
  const tmux = (...args: string[]) =>
    execFileSync("tmux", ["-S", join(folder.path, "s"), "-f", "/dev/null", ...args], {
      cwd: stage.project,
      env,
      encoding: "utf8",
      stdio: "pipe",
    })
  const size = ["-x", "200", "-y", "50"]
  tmux("new-session", "-d", "-s", "tui", ...size, "-c", stage.project, ...commandOf(generation, options))
  const pane = Number(tmux("display-message", "-p", "-t", "tui", "#{pane_pid}"))
  const server = Number(tmux("display-message", "-p", "#{pid}"))
  const end = () => {
    killGroup(pane)
    killGroup(server)
  }
  const forget = atExit(end)
  const screen = () => tmux("capture-pane", "-p", "-t", "tui")
  const sendBytes = (text: string) =>
    void tmux("send-keys", "-t", "tui", "-H", ...[...Buffer.from(text)].map((byte) => byte.toString(16)))

  return {
    project: stage.project,
    home: stage.home,
    type: (text) => void tmux("send-keys", "-t", "tui", "-l", text),
    press: (...keys) => void tmux("send-keys", "-t", "tui", ...keys),
    click: async (pattern) => {
      let before: { row: number; column: number } | undefined
      const { row, column } = await poll(`${pattern} to click on, where it stays`, () => {
        const lines = screen().split("\n")
        const found = lines.findIndex((line) => pattern.test(line))
        const earlier = before
        before = found < 0 ? undefined : { row: found, column: lines[found]?.search(pattern) ?? 0 }
        return isDeepStrictEqual(before, earlier) ? before : undefined
      })
      // As terminals tell of a mouse: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "SGR (1006)".
      for (const end of ["M", "m"]) sendBytes(`\u001b[<0;${column + 2};${row + 1}${end}`)
    },
    leave: () => sendBytes("\u001b[<35;1;1M"),
    resize: (columns, lines = 50) =>
      void tmux("resize-window", "-t", "tui", "-x", String(columns), "-y", String(lines)),
    watchClipboard: () => {
      const output = join(folder.path, "output")
      tmux("pipe-pane", "-t", "tui", `cat > ${output}`)
      return async () => {
        const copied = await poll("something on the clipboard", () => clipboardIn(output))
        tmux("pipe-pane", "-t", "tui")
        return copied
      }
    },
    screen,
    styledScreen: () => tmux("capture-pane", "-e", "-N", "-p", "-t", "tui"),
    waitForScreen: async (pattern, timeoutMs = 15_000, everyMs = 100) => {
      let last = ""
      try {
        return await poll(
          `${pattern} on the screen`,
          () => {
            last = screen()
            return pattern.test(last) ? last : undefined
          },
          { timeoutMs, everyMs },
        )
      } catch (error) {
        throw new Error(`The screen never matched ${pattern}. It shows:\n${last}`, { cause: error })
      }
    },
    stop: async () => {
      end()
      forget()
      await poll("the end of the terminal", () => (isGone(pane) && isGone(server)) || undefined)
      folder.remove()
      stage.remove()
    },
  }
}

/** As a terminal is told of it: OSC 52, base64. */
function clipboardIn(output: string): string | undefined {
  const shown = existsSync(output) ? readFileSync(output, "latin1") : ""
  const [, copied] = /\]52;c;([A-Za-z0-9+/=]+)\W/.exec(shown) ?? []
  return copied === undefined ? undefined : Buffer.from(copied, "base64").toString()
}

function commandOf(generation: Generation, { of }: TuiOptions): string[] {
  if (generation === 1)
    return [
      opencodeBinary(),
      ...(of ? ["attach", of.url, "--session", of.session, "--dir", of.opencode.project] : []),
    ]
  const binary = opencode2Binary() ?? "opencode"
  // Else with a server of its own, which ends with it, and not in the background.
  return [binary, ...(of ? ["--server", of.url, "--session", of.session] : ["--standalone"])]
}

/** That of an opencode which runs, and which removes it. */
const stageOf = ({ home, project }: AnyOpencode): Stage => ({
  home,
  project,
  env: opencodeEnv(home, { PWD: project, OPENCODE_PASSWORD: password2 }),
  remove: () => {},
})

/** What a person can choose in 1.18: its spinners are a fifth of what its terminal costs. */
function stopAnimations(home: string): void {
  const folder = join(home, ".local", "state", "opencode")
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "kv.json"), JSON.stringify({ animations_enabled: false }))
}

function setStage2(options: ProjectOptions): Stage {
  const folder = tempFolder("stage")
  const home = join(folder.path, "home")
  const project = join(folder.path, "project")
  mkdirSync(home)
  makeProject(project, projectConfig2(options))
  return { home, project, env: opencodeEnv(home, { PWD: project }), remove: () => folder.remove() }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}
