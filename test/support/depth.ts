/** How far the tests go that could go on for ever. `npm run test:deep` goes further than `npm test`. */
export const isDeep = process.env.TROUPE_DEEP !== undefined

/** Orders of events that the races of the machines try, and those of the plugin, of which each takes longer. */
export const races = {
  machines: Number(process.env.TROUPE_RACES ?? (isDeep ? 20_000 : 500)),
  plugin: Number(process.env.TROUPE_RACES ?? (isDeep ? 2_000 : 100)),
}

/** Moments at which opencode is killed, in each mode of recovery. */
export const kills = isDeep ? 24 : 3
