/** Those of these members that what opencode hands over does not have: `keymap.registerLayer`. */
export const missingIn = (given: unknown, members: readonly string[]): string[] =>
  members.filter((path) => path.split(".").reduce(memberOf, given) === undefined)

const memberOf = (of: unknown, name: string): unknown =>
  (typeof of === "object" && of !== null) || typeof of === "function" ? Reflect.get(of, name) : undefined

/** What the part in 1.18's terminal cannot do without. */
export const neededOf1 = [
  "attention.notify",
  "client.app.log",
  "client.permission.list",
  "client.permission.reply",
  "client.question.list",
  "client.question.reject",
  "client.question.reply",
  "client.session.children",
  "client.session.get",
  "client.session.list",
  "client.session.message",
  "client.session.messages",
  "client.tool.ids",
  "client.tui.publish",
  "event.on",
  "keymap.getCommandBindings",
  "keymap.registerLayer",
  "keys.formatBindings",
  "renderer.copyToClipboardOSC52",
  "route.navigate",
  "slots.register",
  "state.path.directory",
  "state.session.get",
  "state.session.status",
  "theme.current",
  "tuiConfig.keybinds.get",
  "ui.DialogPrompt",
  "ui.dialog.clear",
  "ui.dialog.replace",
  "ui.dialog.setSize",
  "ui.toast",
]

/** What the part in opencode 2's terminal cannot do without. */
export const neededOf2 = [
  "attention.notify",
  "client.permission.list",
  "client.permission.reply",
  "client.rpc",
  "client.session.form.cancel",
  "client.session.form.list",
  "client.session.form.reply",
  "client.session.message.get",
  "client.session.prompt",
  "data.on",
  "data.session.get",
  "keymap.layer",
  "keymap.shortcuts",
  "renderer.copyToClipboardOSC52",
  "theme.text",
  "ui.dialog.clear",
  "ui.dialog.prompt",
  "ui.dialog.set",
  "ui.dialog.show",
  "ui.router.current",
  "ui.router.navigate",
  "ui.slot",
  "ui.toast.show",
]
