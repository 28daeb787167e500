/**
 * Who may prompt. `concurrency` slots over all owners; free ones go round-robin between the owners that wait, and
 * first-in-first-out within one. Plain JSON; every function returns a new value.
 */
export type Limits = {
  concurrency: number
  holders: Claim[]
  /** Owners in the order in which they get the next slot, each with its waiting jobs, never empty. */
  waiting: { owner: string; jobs: string[] }[]
}

export type Claim = { owner: string; job: string }

export function createLimits(concurrency: number): Limits {
  return { concurrency, holders: [], waiting: [] }
}

/** A claim that holds or waits already changes nothing. */
export function request(limits: Limits, claim: Claim): Limits {
  if (limits.holders.some((holder) => isSame(holder, claim))) return limits
  const queue = limits.waiting.find(({ owner }) => owner === claim.owner)
  if (queue?.jobs.includes(claim.job)) return limits
  const waiting = queue
    ? limits.waiting.map((each) => (each === queue ? { ...queue, jobs: [...queue.jobs, claim.job] } : each))
    : [...limits.waiting, { owner: claim.owner, jobs: [claim.job] }]
  return { ...limits, waiting }
}

/** Gives up a slot, or the place in the queue for one. A claim that has neither changes nothing. */
export function release(limits: Limits, claim: Claim): Limits {
  return {
    ...limits,
    holders: limits.holders.filter((holder) => !isSame(holder, claim)),
    waiting: limits.waiting
      .map((queue) =>
        queue.owner === claim.owner
          ? { ...queue, jobs: queue.jobs.filter((job) => job !== claim.job) }
          : queue,
      )
      .filter(({ jobs }) => jobs.length > 0),
  }
}

/** Gives up all that an owner holds or waits for. */
export function releaseOwner(limits: Limits, owner: string): Limits {
  return {
    ...limits,
    holders: limits.holders.filter((holder) => holder.owner !== owner),
    waiting: limits.waiting.filter((queue) => queue.owner !== owner),
  }
}

/** Hands out every free slot. */
export function grant(limits: Limits): { limits: Limits; granted: Claim[] } {
  const granted: Claim[] = []
  let { holders, waiting } = limits
  for (
    let [next, ...others] = waiting;
    next && holders.length < limits.concurrency;
    [next, ...others] = waiting
  ) {
    const [job, ...rest] = next.jobs
    if (job === undefined) break
    const claim = { owner: next.owner, job }
    granted.push(claim)
    holders = [...holders, claim]
    waiting = rest.length > 0 ? [...others, { owner: next.owner, jobs: rest }] : others
  }
  return { limits: { ...limits, holders, waiting }, granted }
}

const isSame = (a: Claim, b: Claim) => a.owner === b.owner && a.job === b.job
