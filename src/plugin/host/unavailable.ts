/**
 * What providers answer where a model cannot be had, so that another one may do: no key or no right to use it (401,
 * 403), nothing paid or left (402, 429), no such model (404), or more asked of it than it can take, for longer than
 * opencode tries (429, 5xx). Anything else is an answer to what was asked, as a context that is too long.
 */
export function isUnavailable(status: number | undefined, words: string): boolean {
  if (status === undefined) return noModel.test(words)
  if (status === 400) return noModel.test(words)
  return [401, 402, 403, 404, 408, 429].includes(status) || status >= 500
}

/** As some providers say it with a status of its own or none. */
const noModel =
  /\bmodel_not_found\b|\bmodel not found\b|\b(?:invalid|unknown|no such) model\b|\bmodel\b.{0,80}\b(?:does not exist|not found)\b|\bnot a valid model\b/i
