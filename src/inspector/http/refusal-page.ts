import { createHash } from "node:crypto"

const style =
  ":root{color-scheme:light dark;font:16px/1.55 system-ui,sans-serif;background:light-dark(#f7f7fa,#111218);" +
  "color:light-dark(#16171d,#eceef5)}main{max-width:34rem;margin:16vh auto;padding:0 1.5rem}h1{font-size:1.35rem}"

/** For the security headers: under another name the style sheet is refused, too. */
export const refusalStyleSource = `'sha256-${createHash("sha256").update(style).digest("base64")}'`

/**
 * For a person whose browser asks under another name (DNS rebinding). Without the command for a link: a page of that
 * name could read the path in it.
 */
export const otherNamePage =
  '<!doctype html><html lang="en"><head><meta charset="utf-8">' +
  '<meta name="viewport" content="width=device-width, initial-scale=1">' +
  `<title>Another name · opencode-troupe</title><style>${style}</style></head>` +
  "<body><main><h1>The inspector does not answer to this name</h1>" +
  "<p>It answers only to its own address on this machine. Open the link as opencode shows it.</p></main></body></html>\n"
