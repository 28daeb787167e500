import { execFileSync } from "node:child_process"
import { expect, it } from "vitest"
import { ownCommand } from "../../src/util/own-command.ts"

const inspect = (cli: string, platform: NodeJS.Platform, env: NodeJS.ProcessEnv = {}) =>
  ownCommand("inspect", "XDG_STATE_HOME", { cli, platform, env })

it("is run from where it really is, in any shell", () => {
  expect(inspect("/home/me/plugin@file:/1.tgz/dist/cli.js", "linux")).toBe(
    "node /home/me/plugin@file:/1.tgz/dist/cli.js inspect",
  )
  expect(inspect("C:\\Users\\me\\dist\\cli.js", "win32")).toBe('node "C:\\Users\\me\\dist\\cli.js" inspect')
  for (const path of [
    "/my plugin/cli.js",
    "/o'brien/cli.js",
    "/a$HOME/cli.js",
    "/a`id`/cli.js",
    '/a"b/cli.js',
    "/a!b's/cli.js",
  ]) {
    const echoed = inspect(path, "linux")
      .replace(/^node/, "printf %s")
      .replace(/ inspect$/, "")
    expect(execFileSync("sh", ["-c", echoed], { encoding: "utf8" })).toBe(path)
  }
})

it("is found where the folder that it reads is set for opencode alone", () => {
  const env = { XDG_STATE_HOME: "/a home/state", XDG_DATA_HOME: "/data" }
  expect(inspect("/cli.js", "linux", env)).toBe("XDG_STATE_HOME='/a home/state' node /cli.js inspect")
  expect(ownCommand("worktrees", "XDG_DATA_HOME", { cli: "/cli.js", platform: "linux", env })).toBe(
    "XDG_DATA_HOME=/data node /cli.js worktrees",
  )
  expect(inspect("C:\\cli.js", "win32", env)).toBe('node "C:\\cli.js" inspect')
})

it("names the command line that is built", () => {
  expect(ownCommand("inspect", "XDG_STATE_HOME", { platform: "linux", env: {} })).toMatch(
    new RegExp(`^node '?${process.cwd()}/dist/cli.js'? inspect$`),
  )
})
