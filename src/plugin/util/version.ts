/** Put in by the build. */
declare const TROUPE_VERSION: string | undefined

/** The version of the package; `development` where it was not built. */
export const version = typeof TROUPE_VERSION === "string" ? TROUPE_VERSION : "development"
