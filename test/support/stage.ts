import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { opencodeEnv } from "./opencode-env.ts"
import { copyHome } from "./prepared-home.ts"
import { makeProject } from "./project.ts"
import type { ScriptedModel } from "./scripted-model.ts"
import { tempFolder } from "./temp-folder.ts"

export interface StageOptions {
  model: Pick<ScriptedModel, "url">
  /** The plugin to load and its options; false for none. The built plugin, with no options, by default. */
  plugin?: { path?: string; options?: object } | false
  env?: Record<string, string>
  /** Goes over the keys of the standard opencode.json; `provider` and `plugin` stay ours unless named here. */
  config?: Record<string, unknown>
  /** The home of another stage, to share its store. Its maker removes it. */
  home?: string
  /** The project of another stage, with that stage's opencode.json. Its maker removes it. */
  project?: string
}

/** A home and a project for opencode to run in. */
export interface Stage {
  home: string
  project: string
  env: NodeJS.ProcessEnv
  remove(): void
}

export async function setStage(options: StageOptions): Promise<Stage> {
  const folder = tempFolder("stage")
  const home = options.home ?? join(folder.path, "home")
  const project = options.project ?? join(folder.path, "project")
  try {
    if (!options.home) await copyHome(home)
    if (!options.project) makeProject(project, projectConfig(options))
    return { home, project, env: opencodeEnv(home, options.env), remove: () => folder.remove() }
  } catch (error) {
    folder.remove()
    throw error
  }
}

/** opencode.json: the scripted model as the only provider, every permission granted, and the plugin. */
export function projectConfig({ model, plugin = {}, config }: StageOptions): object {
  return {
    $schema: "https://opencode.ai/config.json",
    provider: scriptedProvider(model),
    // Keys in the environment of whoever runs the tests must not bring a real provider in.
    enabled_providers: ["fake"],
    model: "fake/m1",
    small_model: "fake/m1",
    permission: { "*": "allow" },
    share: "disabled",
    ...(plugin && { plugin: [[pathToFileURL(plugin.path ?? builtPlugin).href, plugin.options ?? {}]] }),
    ...config,
  }
}

/** The provider of the scripted model, which has two. */
export function scriptedProvider({ url }: Pick<ScriptedModel, "url">) {
  return {
    fake: {
      npm: "@ai-sdk/openai-compatible",
      options: { baseURL: url, apiKey: "none" },
      models: { m1: fakeModel, m2: fakeModel },
    },
  }
}

const fakeModel = { tool_call: true, limit: { context: 200_000, output: 8_000 } }

const builtPlugin = join(import.meta.dirname, "..", "..", "dist", "server.js")
