/** `1 job`, `2 jobs`. @param more Default: with an s */
export const counted = (number: number, one: string, more = `${one}s`): string =>
  `${number} ${number === 1 ? one : more}`
