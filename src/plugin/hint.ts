/** What the main agent is told in its system prompt. Part of every request: short. */
export const HINT =
  "Independent pieces of work (searches, reviews, edits to separate files) go faster as parallel jobs: hand them out " +
  "in one agents_start call, do your own part meanwhile, then agents_wait once. Not for small or dependent steps, or " +
  "edits to the same file. Never poll."
