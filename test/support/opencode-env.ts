import { homedir } from "node:os"
import { join } from "node:path"

/** Of an opencode that runs for minutes: see `vitest.config.ts`. */
export const longRunning = { BUN_JSC_useDFGJIT: "1", BUN_JSC_useFTLJIT: "0" }

/**
 * The environment of an opencode that lives in `home` alone: nothing of the opencode, the XDG folders or the tmux
 * this process may itself run under gets in, nor does the configuration of the person who runs the tests.
 */
export function opencodeEnv(home: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(OPENCODE|XDG|TMUX|VITEST)(_|$)/.test(name),
  )
  return {
    ...Object.fromEntries(inherited),
    HOME: home,
    USERPROFILE: home,
    // Another HOME hides the owner's npm settings, which may say where the registry is.
    NPM_CONFIG_USERCONFIG: npmUserConfig(),
    OPENCODE_DISABLE_MODELS_FETCH: "1",
    OPENCODE_DISABLE_AUTOUPDATE: "1",
    // Reading the list of all models there are is a third of what a start costs, and the tests have models of their own.
    OPENCODE_MODELS_PATH: join(import.meta.dirname, "no-models.json"),
    // What takes a tenth of a start and no test is about.
    OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
    OPENCODE_DISABLE_EXTERNAL_SKILLS: "1",
    OPENCODE_EXPERIMENTAL_DISABLE_FILEWATCHER: "1",
    ...more,
  }
}

function npmUserConfig(): string {
  return process.env.NPM_CONFIG_USERCONFIG ?? process.env.npm_config_userconfig ?? join(homedir(), ".npmrc")
}
