import type { OpencodeClient } from "@opencode-ai/sdk/v2/client"
import type { HostMessage } from "../../src/plugin/host/port.ts"
import { decodeMessage, decodeSession } from "../../src/plugin/host/v1/decode.ts"
import { answered } from "./answered.ts"
import type { AnyOpencode, Child, OpencodeOptions, StartedCall, ToolOutcome } from "./any-opencode.ts"
import { userTexts } from "./conversation.ts"
import { type Opencode, startOpencode } from "./opencode.ts"
import { outcomeOf } from "./tool-call.ts"

/** The real opencode 1.18 as tests of both generations see it. */
export async function startOpencode1(options: OpencodeOptions): Promise<AnyOpencode> {
  return new OpencodeOfOne(await startOpencode(options))
}

class OpencodeOfOne implements AnyOpencode {
  readonly generation = 1
  readonly #opencode: Opencode
  /** In 1.18 each prompt says its agent. */
  readonly #agents = new Map<string, string>()

  constructor(opencode: Opencode) {
    this.#opencode = opencode
  }

  get home(): string {
    return this.#opencode.home
  }

  get project(): string {
    return this.#opencode.project
  }

  get #client(): OpencodeClient {
    return this.#opencode.client
  }

  async session({ agent }: { agent?: string } = {}): Promise<string> {
    const session = await this.#opencode.session()
    if (agent !== undefined) this.#agents.set(session, agent)
    return session
  }

  async say(session: string, text: string): Promise<void> {
    const parts = [{ type: "text" as const, text }]
    await answered(
      "the turn",
      this.#client.session.prompt({ sessionID: session, parts, ...this.#as(session) }),
    )
  }

  callTool(session: string, tool: string, args: object): Promise<ToolOutcome> {
    return this.#opencode.callTool(session, tool, args, this.#as(session))
  }

  startTool(session: string, tool: string, args: object): StartedCall {
    return this.#opencode.startTool(session, tool, args, this.#as(session))
  }

  #as(session: string): { agent?: string } {
    const agent = this.#agents.get(session)
    return agent === undefined ? {} : { agent }
  }

  outcomeOf(session: string, callID: string): Promise<ToolOutcome | undefined> {
    return outcomeOf(this.#client, session, callID)
  }

  async messages(session: string): Promise<HostMessage[]> {
    const messages = await answered("the messages", this.#client.session.messages({ sessionID: session }))
    return messages.map(decodeMessage)
  }

  userTexts(session: string): Promise<string[]> {
    return userTexts(this.#opencode, session)
  }

  async children(owner: string): Promise<Child[]> {
    const children = await answered("the children", this.#client.session.children({ sessionID: owner }))
    return children.map((child) => {
      const { id, parent, title, stored } = decodeSession(child)
      return { id, parent, title, agent: child.agent, stored }
    })
  }

  async isBusy(session: string): Promise<boolean> {
    const statuses = await answered("the statuses", this.#client.session.status())
    return (statuses[session]?.type ?? "idle") !== "idle"
  }

  async abort(session: string): Promise<void> {
    await answered("the abort", this.#client.session.abort({ sessionID: session }))
  }

  async reply(_session: string, request: string, reply: "once" | "always" | "reject"): Promise<void> {
    await answered("the reply", this.#client.permission.reply({ requestID: request, reply }))
  }

  async reload(): Promise<void> {
    await answered("the end of the instance", this.#client.instance.dispose())
    // Any request makes opencode load the plugin again.
    await answered("the agents", this.#client.app.agents())
  }

  async onEvent(hear: () => void): Promise<() => void> {
    return this.#opencode.events.listen(hear)
  }

  log(): string {
    return this.#opencode.log()
  }

  kill(): Promise<void> {
    return this.#opencode.kill()
  }

  restart(): Promise<void> {
    return this.#opencode.restart()
  }

  stop(): Promise<void> {
    return this.#opencode.stop()
  }
}
