import { announce, type Common, type Server } from "./common.ts"
import { installOpencode2, opencode2Binary } from "./opencode-2-binary.ts"
import { makeTestHome } from "./prepared-home.ts"
import { startShared1, startShared2 } from "./shared-opencode.ts"
import { isWanted } from "./wanted.ts"

const workers = 2

/** A prepared home, and an opencode of each generation for each worker: made while the unit tests run. */
export function setup(): () => Promise<void> {
  if (isWanted(2)) {
    installOpencode2()
    // A wrong OPENCODE2 ends the run here, before anything is started.
    opencode2Binary()
  }
  const ends: (() => Promise<void> | void)[] = []
  const made = make((end) => ends.unshift(end))
  const forget = announce(made)
  return async () => {
    // A short run may be over before it is made, and whoever makes it says so.
    await made.catch(() => {})
    forget()
    for (const end of ends) await end()
  }
}

async function make(atEnd: AtEnd): Promise<Common> {
  const [one, servers] = await Promise.all([makeOne(atEnd), makeTwo(atEnd)])
  return { ...(one && { home: one.home }), servers: { 1: one?.servers ?? [], 2: servers } }
}

type AtEnd = (end: () => Promise<void> | void) => void

async function makeOne(atEnd: AtEnd): Promise<{ home: string; servers: Server[] } | undefined> {
  if (!isWanted(1)) return undefined
  const home = await makeTestHome()
  atEnd(home.remove)
  const { servers, stop } = await startShared1(workers, home.path)
  atEnd(stop)
  return { home: home.path, servers }
}

async function makeTwo(atEnd: AtEnd): Promise<Server[]> {
  if (!isWanted(2) || opencode2Binary() === undefined) return []
  const { servers, stop } = await startShared2(workers)
  atEnd(stop)
  return servers
}
