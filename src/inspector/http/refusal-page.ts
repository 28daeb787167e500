import { createHash } from "node:crypto"

const style =
  ":root{color-scheme:light dark;font:16px/1.55 system-ui,sans-serif;background:light-dark(#f7f7fa,#111218);" +
  "color:light-dark(#16171d,#eceef5)}main{max-width:34rem;margin:16vh auto;padding:0 1.5rem}h1{font-size:1.35rem}" +
  "code{font:0.9em ui-monospace,Menlo,Consolas,monospace;padding:.15em .45em;border-radius:6px;overflow-wrap:anywhere;" +
  "background:light-dark(#e6e6f0,#262936)}"

/** For the security headers: these pages cannot load the style sheet, which requires access. */
export const refusalStyleSource = `'sha256-${createHash("sha256").update(style).digest("base64")}'`

/**
 * Refusals as pages, by their kind, for a person who followed a link in a browser. Nothing that was sent is shown.
 * @param command prints a fresh link.
 */
export function refusalPages(command: string): ReadonlyMap<string, string> {
  const freshLink =
    "<p>For a fresh link, run this in a terminal on the machine where opencode runs:</p>" +
    `<p><code>${escaped(command)}</code></p>`
  return new Map([
    [
      "access",
      pageOf(
        "This requires a fresh link",
        `<p>A link to the inspector is valid once, for ten minutes. This one has been used, has expired, or is missing.</p>${freshLink}`,
      ),
    ],
    [
      "origin",
      pageOf(
        "Another site sent you here",
        `<p>No other page may open the inspector. Paste the link into the address bar instead.</p>${freshLink}`,
      ),
    ],
    // Without the command: a page on a name that was made to resolve here (DNS rebinding) could read the path in it.
    [
      "host",
      pageOf(
        "The inspector does not answer to this name",
        "<p>It answers only to its own address on this machine. Open the link as opencode shows it.</p>",
      ),
    ],
  ])
}

function pageOf(title: string, hint: string): string {
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>${title} · opencode-troupe</title><style>${style}</style></head>` +
    `<body><main><h1>${title}</h1>${hint}</main></body></html>\n`
  )
}

const escaped = (text: string) => text.replace(/[&<>]/g, (char) => `&#${char.charCodeAt(0)};`)
