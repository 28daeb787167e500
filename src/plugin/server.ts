import type { PluginModule } from "@opencode-ai/plugin"
import { server } from "./opencode-1.ts"
import { setup } from "./opencode-2.ts"

/** One module for both generations of opencode: 1.18 calls `server`, 2.x calls `setup`, and each ignores the other. */
const plugin = { id: "opencode-troupe", server, setup }

export default plugin satisfies PluginModule
