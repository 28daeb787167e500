import { createHash } from "node:crypto"

const style =
  ":root{color-scheme:light dark;font:16px/1.55 system-ui,sans-serif;background:light-dark(#f7f7fa,#111218);" +
  "color:light-dark(#16171d,#eceef5)}main{max-width:34rem;margin:16vh auto;padding:0 1.5rem}h1{font-size:1.35rem}" +
  "code{font:0.9em ui-monospace,Menlo,Consolas,monospace;padding:.15em .45em;border-radius:6px;" +
  "background:light-dark(#e6e6f0,#262936)}"

/** What the security headers allow besides the page's own style sheet, which needs the way in that is missing here. */
export const refusalStyleSource = `'sha256-${createHash("sha256").update(style).digest("base64")}'`

/**
 * A refusal for a person, who followed a link in a browser: all of it constant, so nothing that was sent is shown.
 * @param hint in HTML, what to do.
 */
function pageOf(title: string, hint: string): string {
  return (
    '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">' +
    `<title>${title} · opencode-troupe</title><style>${style}</style></head>` +
    `<body><main><h1>${title}</h1>${hint}</main></body></html>\n`
  )
}

const freshLink =
  "<p>For a fresh one, run this in a terminal on the machine where opencode runs:</p>" +
  "<p><code>npx opencode-troupe inspect</code></p>"

const needsLink = pageOf(
  "This needs a fresh link",
  `<p>A link to the inspector opens it once, within ten minutes. This one was used, is too old, or is missing.</p>${freshLink}`,
)

const fromElsewhere = pageOf(
  "Another site sent you here",
  `<p>The inspector opens from no other page. Paste the link into the address bar instead.</p>${freshLink}`,
)

const otherName = pageOf(
  "The inspector does not answer to this name",
  `<p>It is there for its own address on this machine alone.</p>${freshLink}`,
)

/** The page for a refusal of this kind; undefined where a person cannot come across it. */
export function refusalPage(kind: string): string | undefined {
  switch (kind) {
    case "access":
      return needsLink
    case "origin":
      return fromElsewhere
    case "host":
      return otherName
    default:
      return undefined
  }
}
