/** Of an answer that has a few hundred bytes. */
const most = 16 * 1024

/** JSON from somebody who may be anybody, and whose answer may have no end. Nothing where it is none, or is too long. */
export async function shortJson(response: Response): Promise<unknown> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  while (reader) {
    const { value, done } = await reader.read()
    if (done) break
    text += value
    if (text.length > most) {
      await reader.cancel()
      return undefined
    }
  }
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
