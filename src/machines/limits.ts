/**
 * Who may prompt. Slots are counted over all owners: in all, by provider and by model. A claim gets one when it fits
 * every limit that it falls under and its provider is not on hold; it never waits for one before it that does not fit.
 * Free slots go round-robin between the owners that wait, within each limit, and first-in-first-out within one owner.
 * Plain JSON; every function returns a new value.
 */
export type Limits = {
  /** The widest first: the one of all, those of providers, those of models. */
  bounds: Bound[]
  holds: Hold[]
  holders: Claim[]
  /** First come, first. */
  waiting: Waiting[]
}

/** `model`: `provider/model`; absent where opencode chooses, and only the limit of all counts. */
export type Claim = {
  owner: string
  job: string
  model?: string | undefined
  /** It was named to take the place of another model of its provider: what holds that one does not hold this. */
  isFallback?: boolean
}

export type Bound = {
  /** A provider or a model; empty for all. */
  of: string
  most: number
  /** The owners that wait under it, in the order in which they get the next slot of it. */
  turns: string[]
}

type Key = Pick<Claim, "owner" | "job">

/**
 * No job of this provider starts before `until`, as this job was told of its model at `at`, epoch milliseconds.
 * `trial`: for as long as a provider is believed it has passed, and one job tries whether it answers by now.
 */
export type Hold = {
  provider: string
  model: string
  at: number
  until: number
  owner: string
  job: string
  trial?: { by?: Key }
}

/** For how long a provider is believed that wants to be asked later: some name a day, or a year. Milliseconds. */
export const longestHold = 3_600_000

/** `heldUntil`: what it was told. */
type Waiting = Claim & { heldUntil?: number | undefined }

/** Until when a waiting job is held, where that has changed; absent where it is no longer. */
export type HoldNews = { owner: string; job: string; until?: number | undefined }

/** How many prompts may be in flight: in all, or by provider and model too. */
export type Concurrency = number | ByLimit
type ByLimit = { total: number; providers?: Record<string, number>; models?: Record<string, number> }

export function createLimits(concurrency: Concurrency): Limits {
  const {
    total,
    providers = {},
    models = {},
  }: ByLimit = typeof concurrency === "number" ? { total: concurrency } : concurrency
  const bounds = [["", total] as const, ...Object.entries(providers), ...Object.entries(models)]
  return {
    bounds: bounds.map(([of, most]) => ({ of, most, turns: [] })),
    holds: [],
    holders: [],
    waiting: [],
  }
}

export const slotsIn = (concurrency: Concurrency) =>
  typeof concurrency === "number" ? concurrency : concurrency.total

/**
 * A claim that holds or waits already changes nothing, unless its job goes on with another model: then it gives up its
 * slot and queues for another, or waits for that in its place in the queue.
 */
export function request(limits: Limits, { owner, job, model }: Claim): Limits {
  const isIt = (each: Claim) => isSame(each, { owner, job })
  const waits = limits.waiting.find(isIt)
  const known = waits ?? limits.holders.find(isIt)
  if (known && known.model === model) return limits
  const isFallback = known && providerOf(known.model) === providerOf(model)
  const claim = { owner, job, ...(model !== undefined && { model }), ...(isFallback && { isFallback }) }
  const asked = {
    ...limits,
    waiting: waits
      ? limits.waiting.map((each) => (each === waits ? { ...withoutModel(each), ...claim } : each))
      : [...limits.waiting, claim],
    bounds: limits.bounds.map((bound) =>
      isUnder(bound, claim) && !bound.turns.includes(owner)
        ? { ...bound, turns: [...bound.turns, owner] }
        : bound,
    ),
  }
  return known ? onlyWaiting({ ...asked, holders: limits.holders.filter((each) => !isIt(each)) }) : asked
}

/** Gives up a slot, or the place in the queue for one. A claim that has neither changes nothing. */
export function release(limits: Limits, claim: Key): Limits {
  return without(limits, (each) => isSame(each, claim))
}

/** Gives up all that an owner holds or waits for. */
export function releaseOwner(limits: Limits, owner: string): Limits {
  return without(limits, (each) => each.owner === owner)
}

/** What a job was told; `unstarted`: who holds a slot and has not asked its provider yet. */
export type Later = Omit<Hold, "trial"> & { unstarted?: readonly Key[] }

/**
 * The longest hold of a provider stands: several of its jobs may have been told to come back later. What a job is told
 * last takes the place of what it was told before, and what one is told that tries, of all before. Who has not started
 * gives its slot back and is the next to get one.
 */
export function hold(limits: Limits, { unstarted, ...told }: Later): Limits {
  const known = limits.holds.find(({ provider }) => provider === told.provider)
  const until = Math.min(Math.ceil(told.until), told.at + longestHold)
  if (known && !isSame(known, told) && !isTriedBy(known, told) && known.until >= until) return limits
  const holds = limits.holds.filter((each) => each !== known)
  if (until <= told.at) return { ...limits, holds }
  return withSlotsBack({ ...limits, holds: [...holds, { ...told, until }] }, ({ model, ...holder }) => {
    return providerOf(model) === told.provider && unstarted?.some((each) => isSame(each, holder)) === true
  })
}

/** A job whose model answers what it was asked then. */
export type Answered = { owner: string; job: string; model: string; askedAt: number }

/**
 * Ends the hold that this job was told of or tries out, or that another one of its model was told of before this one
 * asked. Another model of the provider may have a quota of its own.
 */
export function endHold(limits: Limits, answered: Answered): Limits {
  return { ...limits, holds: limits.holds.filter((each) => !isEndedBy(each, answered)) }
}

export function isEndedBy(hold: Hold, { model, askedAt, ...job }: Answered): boolean {
  if (isTriedBy(hold, job)) return hold.provider === providerOf(model)
  return hold.model === model && (isSame(hold, job) || askedAt >= hold.at)
}

/**
 * The time of a provider's hold is over. Where the provider named it, that is the end of the hold. Where the provider
 * was believed no longer, one job is let through to try, and the others wait for what it is told, or for as long again.
 * Where none wanted to in all that time, that is its end too.
 */
export function passHold(limits: Limits, provider: string): Limits {
  const holds = limits.holds.flatMap((each): Hold[] => {
    if (each.provider !== provider) return [each]
    const isNamed = each.until - each.at < longestHold
    return isNamed || isUntried(limits, each) ? [] : [{ ...each, until: each.until + longestHold, trial: {} }]
  })
  return { ...limits, holds }
}

/** Hands out every free slot, and says which of those that wait are held now, or no longer. */
export function grant(limits: Limits): { limits: Limits; granted: Claim[]; news: HoldNews[] } {
  const granted: Claim[] = []
  let after = limits
  for (let next = nextIn(after); next; next = nextIn(after)) {
    const { heldUntil: _, ...claim } = next
    granted.push(claim)
    after = served(after, claim)
  }
  const news = newsOf(after)
  return { limits: news.length > 0 ? told(after, news) : after, granted, news }
}

function newsOf(limits: Limits): HoldNews[] {
  const untilOf = (claim: Claim) => holdOf(limits, claim)?.until
  return limits.waiting
    .filter((claim) => untilOf(claim) !== claim.heldUntil)
    .map((claim) => ({ owner: claim.owner, job: claim.job, until: untilOf(claim) }))
}

/** What a job waits for that has no slot: the hold of its provider, or the widest limit that is full. */
export type Obstacle = { hold: Hold } | { full: Bound }

export function obstacleTo(limits: Limits, claim: Claim): Obstacle | undefined {
  if (limits.holders.some((holder) => isSame(holder, claim))) return undefined
  const hold = holdOf(limits, limits.waiting.find((each) => isSame(each, claim)) ?? claim)
  if (hold) return { hold }
  const full = limits.bounds.find((bound) => isUnder(bound, claim) && isFull(limits, bound))
  return full && { full }
}

/** Of `provider/model`; none where opencode chooses the model. */
export function providerOf(model: string | undefined): string | undefined {
  return model?.match(/^([^/]+)\//)?.[1]
}

/** Who gets the next slot, if there is one that somebody may have. */
function nextIn(limits: Limits): Waiting | undefined {
  const full = limits.bounds.filter((bound) => isFull(limits, bound))
  // Most of the time all slots are busy, and many jobs may wait.
  if (full.some(({ of }) => of === "")) return undefined
  const fits = (claim: Claim) => !full.some((bound) => isUnder(bound, claim)) && !holdOf(limits, claim)
  return byTurn(limits.bounds, limits.waiting, fits)
}

/**
 * The owner whose turn it is in the widest of these limits, and what it has waited for longest, say which narrower
 * limit is looked at next: there it may be another owner's turn. So an owner that gets slots of one provider does not
 * lose its turn with another.
 */
function byTurn(
  [widest, ...narrower]: readonly Bound[],
  claims: readonly Waiting[],
  fits: (claim: Waiting) => boolean,
): Waiting | undefined {
  const firstOf = (owner: string | undefined) => claims.find((claim) => claim.owner === owner && fits(claim))
  const first = firstOf(widest?.turns.find(firstOf))
  const next = narrower.find((bound) => first && isUnder(bound, first))
  if (!next) return first
  return byTurn(
    narrower.slice(narrower.indexOf(next)),
    claims,
    (claim) => isUnder(next, claim) && fits(claim),
  )
}

/** The next turn in each of its limits is another owner's, as long as one waits. */
function served(limits: Limits, claim: Claim): Limits {
  const bounds = limits.bounds.map((bound) =>
    isUnder(bound, claim)
      ? { ...bound, turns: [...bound.turns.filter((owner) => owner !== claim.owner), claim.owner] }
      : bound,
  )
  const waiting = limits.waiting.filter((each) => !isSame(each, claim))
  const holds = limits.holds.map((each) =>
    isHeldBy(each, claim) ? { ...each, trial: trialBy(claim) } : each,
  )
  return onlyWaiting({ ...limits, bounds, holds, waiting, holders: [...limits.holders, claim] })
}

function withSlotsBack(limits: Limits, isBack: (claim: Claim) => boolean): Limits {
  const back = limits.holders.filter(isBack)
  const ownersUnder = (bound: Bound) =>
    back.filter((claim) => isUnder(bound, claim)).map(({ owner }) => owner)
  return {
    ...limits,
    holders: limits.holders.filter((claim) => !isBack(claim)),
    waiting: [...back, ...limits.waiting],
    bounds: limits.bounds.map((bound) => ({
      ...bound,
      turns: [...new Set([...ownersUnder(bound), ...bound.turns])],
    })),
  }
}

function without(limits: Limits, isGone: (claim: Claim) => boolean): Limits {
  const holders = limits.holders.filter((claim) => !isGone(claim))
  const waiting = limits.waiting.filter((claim) => !isGone(claim))
  return onlyWaiting({ ...limits, holders, waiting })
}

/** An owner that no longer waits under a limit has no turn in it. */
function onlyWaiting(limits: Limits): Limits {
  const waits = (bound: Bound, owner: string) =>
    limits.waiting.some((claim) => claim.owner === owner && isUnder(bound, claim))
  const bounds = limits.bounds.map((bound) => ({
    ...bound,
    turns: bound.turns.filter((owner) => waits(bound, owner)),
  }))
  return { ...limits, bounds }
}

function told(limits: Limits, news: readonly HoldNews[]): Limits {
  const waiting = limits.waiting.map(({ heldUntil, ...claim }) => {
    const heard = news.find((each) => isSame(each, claim))
    const until = heard ? heard.until : heldUntil
    return until === undefined ? claim : { ...claim, heldUntil: until }
  })
  return { ...limits, waiting }
}

function withoutModel({ model: _, isFallback: _isFallback, ...claim }: Waiting): Waiting {
  return claim
}

function isFull({ holders }: Limits, bound: Bound): boolean {
  return holders.filter((holder) => isUnder(bound, holder)).length >= bound.most
}

/** What keeps a claim from a slot: whoever comes first when somebody is to try does so. */
function holdOf(limits: Limits, claim: Claim): Hold | undefined {
  // Most of the time nothing is held, and many jobs may wait.
  if (limits.holds.length === 0) return undefined
  const hold = limits.holds.find((each) => isHeldBy(each, claim))
  return hold && isUntried(limits, hold) ? undefined : hold
}

/** Somebody is to try, and nobody does. */
const isUntried = ({ holders }: Limits, hold: Hold) =>
  hold.trial !== undefined && !holders.some((holder) => isTrial(hold, holder))

const isHeldBy = ({ provider }: Hold, { model, isFallback }: Claim) =>
  model !== undefined && !isFallback && isOfProvider(model, provider)

const trialBy = ({ owner, job }: Claim) => ({ by: { owner, job } })

const isTriedBy = ({ trial }: Hold, job: Key) => trial?.by !== undefined && isSame(trial.by, job)

/** One that has gone on with a model of another provider tries this one no more. */
const isTrial = (hold: Hold, holder: Claim) => isTriedBy(hold, holder) && isHeldBy(hold, holder)

function isUnder({ of }: Bound, { model }: Claim): boolean {
  return of === "" || (model !== undefined && (of === model || isOfProvider(model, of)))
}

/** `provider/model`; asked for each job that waits. */
function isOfProvider(model: string, provider: string): boolean {
  return model.startsWith(provider) && model.indexOf("/") === provider.length
}

const isSame = (a: Key, b: Key) => a.owner === b.owner && a.job === b.job
