/** How far the tests go that could go on for ever. `npm run test:deep` goes further than `npm test`. */
export const isDeep = process.env.TROUPE_DEEP !== undefined

/** Orders of events that the races try. */
export const races = isDeep ? 20_000 : 500

/** Moments at which opencode is killed, in each mode of recovery. */
export const kills = isDeep ? 24 : 8
