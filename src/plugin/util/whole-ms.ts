/** Times of jobs are whole milliseconds, as they are stored. */
export const wholeMs = (seconds: number): number => Math.round(seconds * 1000)
