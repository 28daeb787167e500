import type { ActorOptions, AnyActorLogic } from "xstate"

type Clock = NonNullable<ActorOptions<AnyActorLogic>["clock"]>

/** What timers can count to; a longer delay would fire at once. Milliseconds, about 25 days. */
const longest = 2 ** 31 - 1

/** Real time, with timers that never keep a process alive. */
export const realClock: Clock = {
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, Math.min(ms, longest))
    timer.unref()
    return timer
  },
  clearTimeout: (timer) => clearTimeout(timer),
}
