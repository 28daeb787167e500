import { announce } from "./common.ts"
import { makeTestHome } from "./prepared-home.ts"
import { startShared } from "./shared-opencode.ts"

/** A prepared home, and an opencode for each of two workers: made while the unit tests run. */
export function setup(): () => Promise<void> {
  const made = make()
  const forget = announce(made.then(({ common }) => common))
  return async () => {
    forget()
    await (await made).end()
  }
}

async function make() {
  const home = await makeTestHome()
  try {
    const { servers, stop } = await startShared(2, home.path)
    const end = async () => {
      await stop()
      home.remove()
    }
    return { common: { home: home.path, servers }, end }
  } catch (error) {
    home.remove()
    throw error
  }
}
