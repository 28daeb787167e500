import type { PluginModule } from "@opencode-ai/plugin"
import { server } from "./opencode-1.ts"
import { setup } from "./opencode-2.ts"

/** One module for both generations of opencode: 1.18 calls `server`, and `setup` in vain; 2.x calls `setup` alone. */
const plugin = { id: "opencode-troupe", server, setup }

export default plugin satisfies PluginModule
