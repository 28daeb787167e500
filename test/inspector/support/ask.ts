import { request } from "node:http"

export type Answered = {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

export type Asked = { method?: string; headers?: Record<string, string>; body?: string; isChunked?: boolean }

/** One request over a plain socket: unlike fetch it sends any Host, Origin and path that it is told to. */
export function ask(
  url: string,
  path: string,
  { method = "GET", headers = {}, body, isChunked = false }: Asked = {},
): Promise<Answered> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk) => (text += chunk))
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    asked.on("error", reject)
    // Written before the end, it is sent without its length.
    if (isChunked) asked.write(body ?? "")
    asked.end(isChunked ? undefined : body)
  })
}
