import { announce, type Common } from "./common.ts"
import { installOpencode2, opencode2Binary } from "./opencode-2-binary.ts"
import { makeTestHome } from "./prepared-home.ts"
import { startShared1, startShared2 } from "./shared-opencode.ts"
import { isWanted } from "./wanted.ts"

const workers = 2

/** A prepared home, and an opencode of each generation for each worker: made while the unit tests run. */
export function setup(): () => Promise<void> {
  if (isWanted(2)) installOpencode2()
  const ends: (() => Promise<void> | void)[] = []
  const made = make((end) => ends.unshift(end))
  const forget = announce(made)
  return async () => {
    forget()
    await made.catch(() => {})
    for (const end of ends) await end()
  }
}

async function make(atEnd: (end: () => Promise<void> | void) => void): Promise<Common> {
  const made: Common = { servers: { 1: [], 2: [] } }
  if (isWanted(1)) {
    const home = await makeTestHome()
    atEnd(home.remove)
    const { servers, stop } = await startShared1(workers, home.path)
    atEnd(stop)
    made.home = home.path
    made.servers[1] = servers
  }
  if (isWanted(2) && opencode2Binary() !== undefined) {
    const { servers, stop } = await startShared2(workers)
    atEnd(stop)
    made.servers[2] = servers
  }
  return made
}
