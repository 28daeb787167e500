import { describe, expect, it } from "vitest"
import { commandsIn } from "../../../src/plugin/host/commands.ts"

describe("The commands in a line for the shell", () => {
  it.each<[line: string, commands: string[]]>([
    ["npm test", ["npm test"]],
    ["cd app && npm ci; npm test | tee log &", ["cd app", "npm ci", "npm test", "tee log"]],
    ["npm test > log 2>&1 || cat log", ["npm test > log 2>&1", "cat log"]],
    ["make &> log", ["make &> log"]],
    ["a > x && b >> y 2>&1; c < z", ["a > x", "b", "c < z"]],
    ["a | b > 'x y'", ["a", "b"]],
    ["CI=1 NAME='a b' npm test", ["CI=1 NAME='a b' npm test"]],
    ["one\ntwo", ["one", "two"]],
    ['git commit -m "a && b; c"', ['git commit -m "a && b; c"']],
    ["echo 'a; b' \\; c", ["echo 'a; b' \\; c"]],
    ["true # ; rm -rf /\nls", ["true", "ls"]],
    ["echo a#b", ["echo a#b"]],
  ])("are those of %s", (line, commands) => {
    expect(commandsIn(line)).toEqual(commands)
  })

  it.each<[line: string, hidden: string]>([
    ["echo $(rm -rf x)", "rm -rf x"],
    ['echo "now: $(date; rm -rf x)"', "rm -rf x"],
    ["echo `rm -rf x`", "rm -rf x"],
    ["diff <(rm -rf x) y", "rm -rf x"],
    ["echo $(echo $(rm -rf x))", "rm -rf x"],
    ["(cd a; rm -rf x)", "rm -rf x"],
    ["{ rm -rf x; }", "rm -rf x"],
    ["if true; then rm -rf x; fi", "rm -rf x"],
    ["if true; then ls; else rm -rf x; fi", "rm -rf x"],
    ["while ! rm -rf x; do sleep 1; done", "rm -rf x"],
    ["for f in *; do rm -rf x; done", "rm -rf x"],
    ["case $a in b) rm -rf x;; esac", "rm -rf x"],
    ["f() { rm -rf x; }; f", "rm -rf x"],
    ["time rm -rf x", "rm -rf x"],
    ["A=$(rm -rf x)", "rm -rf x"],
    ["cat <<END\n$(rm -rf x)\nEND\nls", "rm -rf x"],
    ["cat <<END\nsome; words\nEND\nrm -rf x", "rm -rf x"],
    ["echo $((1 + $(rm -rf x)))", "rm -rf x"],
  ])("are found where they are hidden: %s", (line, hidden) => {
    expect(commandsIn(line)).toContain(hidden)
  })

  it.each(["echo 'open", 'echo "open', "echo $(open", "echo `open", "", "A=1", "> file"])(
    "include the whole line where there is no telling: %s",
    (line) => {
      expect(commandsIn(line)).toContain(line)
    },
  )
})
