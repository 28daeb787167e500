export const shell = "/bin/sh"

/** Why no command can be run here, where that is so. */
export const whyNoShell = (platform: NodeJS.Platform = process.platform): string | undefined =>
  platform === "win32"
    ? `a check is run by ${shell}, which Windows does not have: leave it out, or use opencode in WSL`
    : undefined
