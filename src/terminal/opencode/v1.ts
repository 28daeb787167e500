import { type Element, onCleanup, untrack } from "../solid.ts"
import type { Key, Screen } from "../terminal.ts"
import type { Api, Binding } from "./api-of-1.ts"
import { shownUntilSettled } from "./dialogs.ts"
import { jobsOf } from "./jobs-of-1.ts"
import { noticesOf1 } from "./notices.ts"
import { tell } from "./tell-1.ts"

export function terminalOf1(api: Api): Screen {
  const colors = {
    text: () => api.theme.current.text,
    muted: () => api.theme.current.textMuted,
    good: () => api.theme.current.success,
    bad: () => api.theme.current.error,
    attention: () => api.theme.current.warning,
    accent: () => api.theme.current.accent,
    chosen: () => api.theme.current.selectedListItemText,
    chosenBackground: () => api.theme.current.primary,
    field: () => api.theme.current.backgroundElement,
  }
  noticesOf1(api, () => tell(api.client, { act: "arrive" }))
  return {
    jobs: jobsOf(api),
    color: (name) => colors[name](),
    sidebar: (draw) =>
      api.slots.register({
        order: 150,
        slots: { sidebar_content: (_context, { session_id }) => draw(session_id) },
      }),
    promptLine: (draw) =>
      api.slots.register({
        order: 150,
        slots: { session_prompt_right: (_context, { session_id }) => draw(session_id) },
      }),
    command: ({ id, title, slash, bind, run }) =>
      void api.keymap.registerLayer({
        commands: [
          {
            name: id,
            title,
            namespace: "palette",
            ...(slash !== undefined && { slashName: slash }),
            run: () => void run(),
          },
        ],
        bindings: bind === undefined ? [] : [{ key: bind, cmd: id }],
      }),
    prompt: (question) =>
      asked(api, (settle) =>
        api.ui.DialogPrompt({ ...question, onConfirm: settle, onCancel: () => settle(undefined) }),
      ),
    dialog: (draw) =>
      asked(api, (settle) => {
        api.ui.dialog.setSize("large")
        // What is drawn must not hang on what is read meanwhile: else all of it would be drawn anew.
        return untrack(() => draw(settle))
      }),
    close: () => api.ui.dialog.clear(),
    keys: (keys) => {
      const { bindings, shortcuts } = boundBy(api, keys)
      const commands = keys.map(({ id, title, run }) => ({ name: id, title, run: () => void run() }))
      onCleanup(api.keymap.registerLayer({ mode: "modal", priority: 1, commands, bindings }))
      return shortcuts
    },
    copy: (text) => api.renderer.copyToClipboardOSC52(text),
    toast: (toast) => api.ui.toast(toast),
    open: (sessionID) => api.route.navigate("session", { sessionID }),
    shown: () => api.route.current.params?.sessionID,
  }
}

/** Shows a dialog until it is answered or closed. */
const asked = <Value>(
  { ui: { dialog } }: Api,
  draw: (settle: (value: Value | undefined) => void) => Element,
): Promise<Value | undefined> =>
  shownUntilSettled<Value | undefined>(
    (settle, onClose) => dialog.replace(() => draw(settle), onClose),
    () => dialog.clear(),
  )

/** The keys that the person has set for what opencode's own dialogs do as well, else those of ours. */
function boundBy({ keymap, keys: { formatBindings }, tuiConfig }: Api, keys: readonly Key[]) {
  const bindings = keys.flatMap(({ id, bind }): readonly Binding[] => {
    const set = tuiConfig.keybinds.get(id)
    return set.length > 0 ? set : [{ key: bind, cmd: id }]
  })
  const shortcuts = (id: string) => {
    const found = keymap.getCommandBindings({ visibility: "registered", commands: [id] }).get(id)
    return formatBindings(found) ?? ""
  }
  return { bindings, shortcuts }
}
