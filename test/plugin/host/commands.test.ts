import { describe, expect, it } from "vitest"
import { commandsIn } from "../../../src/plugin/host/commands.ts"

describe("The commands in a line for the shell", () => {
  it.each<[line: string, commands: string[]]>([
    ["npm test", ["npm test"]],
    ["cd app && npm ci; npm test | tee log &", ["cd app", "npm ci", "npm test", "tee log"]],
    ["npm test > log 2>&1 || cat log", ["npm test > log 2>&1", "cat log"]],
    ["a > x && b >> y 2>&1; c < z", ["a > x", "b", "c < z"]],
    ["a | b > 'x y'", ["a", "b"]],
    ["a >| b; c 2>&1", ["a >| b", "c 2>&1"]],
    ["a && b >|c <&3", ["a", "b"]],
    ["echo \\<& b", ["echo \\<", "b"]],
    ["echo \\>&7z x", ["echo \\>", "7z x"]],
    ["CI=1 NAME='a b' npm test", ["CI=1 NAME='a b' npm test"]],
    ["one\ntwo", ["one", "two"]],
    ['git commit -m "a && b; c"', ['git commit -m "a && b; c"']],
    ["echo 'a; b' \\; c", ["echo 'a; b' \\; c"]],
    ["echo a#b", ["echo a#b"]],
    ["a; b; a", ["a", "b"]],
    ['a $(b; c) "$(d)" && e', ['a $(b; c) "$(d)"', "b", "c", "d", "e"]],
    ["a $( (b); c); d", ["a $( (b); c)", "b", "c", "d"]],
    ["(a; (b)); c", ["a", "b", "c"]],
    ['echo "a \\" $(b)" c; d', ['echo "a \\" $(b)" c', "b", "d"]],
    ["for a in b c; do d; done < e; f", ["d", "f"]],
    ["while a; do b; done 2>> 'c d' &", ["a", "b"]],
    ["if a; then b; fi > c", ["a", "b"]],
    ["{ a; } 2>&1 | b", ["a", "b"]],
    ["A=1; B+='x y' C=\\ z; a", ["a"]],
    ["A=1>b; a", ["A=1>b", "a"]],
    ["> a; b", ["> a", "b"]],
    ["a && b 2> c <d >> e", ["a", "b"]],
    ["a && b 2>c d", ["a", "b 2>c d"]],
    ["a && b1>c", ["a", "b1"]],
    ["a && b > c ; d", ["a", "b", "d"]],
    ["echo do it", ["echo do it"]],
    ["if\na; then\nb\nfi", ["a", "b"]],
    ["for  file  in  a b; do c; done", ["c"]],
    ["for a; do b; done", ["b"]],
    ["a) b; c", ["a", "b", "c"]],
    ["echo \\<& rm -rf x", ["echo \\<", "rm -rf x"]],
    ["echo \\>&1x", ["echo \\>", "1x"]],
    ["echo a >| b; >| fi rm -rf x", ["echo a >| b", ">| fi rm -rf x"]],
    ["echo a <&3 b", ["echo a <&3 b"]],
    ["A=1>b; echo a", ["A=1>b", "echo a"]],
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
    ["set -- a; for f do rm -rf x; done", "rm -rf x"],
    ["set -- a; for  file  do  rm -rf x; done", "rm -rf x"],
    ["cat <<END\ndon't\nEND\nrm -rf x", "rm -rf x"],
    ["echo \\ # '; rm -rf x", "rm -rf x"],
    ["case $a in b) rm -rf x;; esac", "rm -rf x"],
    ["f() { rm -rf x; }; f", "rm -rf x"],
    ["time rm -rf x", "rm -rf x"],
    ["f() { for i do rm -rf x; done; }", "rm -rf x"],
    ["A=$(rm -rf x)", "rm -rf x"],
    ["cat <<END\n$(rm -rf x)\nEND\nls", "rm -rf x"],
    ["cat <<END\nsome; words\nEND\nrm -rf x", "rm -rf x"],
    ["echo $((1 + $(rm -rf x)))", "rm -rf x"],
  ])("are found where they are hidden: %s", (line, hidden) => {
    expect(commandsIn(line)).toContain(hidden)
  })

  it.each(["", "A=1", "> file", " A=1\n"])("are the whole line where there is none in it: %j", (line) => {
    expect(commandsIn(line)).toEqual([line.trim()])
  })

  it.each([
    "A=".repeat(26),
    `a && b ${">11".repeat(26)}`,
    `a && b ${">a&".repeat(26)}`,
    `a && b ${">\\ 1".repeat(26)}`,
    "if ".repeat(26),
  ])("are found at once, however the line is made: %s", (line) => {
    const before = performance.now()
    commandsIn(`${line}'' x '`)
    commandsIn(`${line}'' x`)
    expect(performance.now() - before).toBeLessThan(1_000)
  })

  // Each runs `touch x` in some shell, and a rule that permits `echo *` is not to.
  it.each([
    "echo 'open",
    'echo "open',
    "echo $(open",
    "echo `open",
    "true # ; rm -rf /\nls",
    "#; touch x",
    "\n echo 'open\n",
    "true;case a in a) touch x;; esac",
    "if true; then select a in b; do touch x; done; fi",
    `echo \${x:- #}; touch x`,
    `echo \${x#<<y}\ntouch x`,
    "echo <<'a'b\nx\nab\ntouch x\na",
    "echo a\u00a0#; touch x",
    "echo a\u2003#; touch x",
    "echo a\v#; touch x",
    "echo a &>/dev/null touch x",
    "echo a >&b touch x",
    "echo a |& touch x",
    "echo $'a\\'; touch x; #'",
    'echo $"a"; touch x',
    "echo `# `; touch x`",
    'echo $["]; touch x; echo "]',
    "echo a\\\n#b; touch x",
    "((touch x))",
    "echo $((touch x) )",
    "[[ 1 && touch x ]]",
    "function echo { touch x; }; echo",
    "case a in a) touch x;; esac",
    "echo() { for a do touch x; done; }; echo 1",
    "for  abc  do touch x; done",
    "echo() { for a { touch x; }; }; echo 1",
    "echo a\u200bb",
    "echo a\rb",
  ])("ask for the shell itself where shells may read it otherwise: %j", (line) => {
    const call = commandsIn(line).at(-1) ?? ""
    expect(call).toBe(`sh -c '${line.trim().replaceAll("'", "'\\''")}'`)
  })

  it.each([
    "npm run -s test -- --grep 'ü#1' > log 2>&1",
    'cd app && [ -f a ] && ! grep -q "$NAME" a || exit 1',
    "tsc --noEmit & wait; (cd b; make -j4)",
    "for f in *.js; do node --check $f; done\n",
    "CI=1 npm test > log && make CC=gcc > log",
    "for f; do node --check $f; done",
    "echo for you in doubt",
    "test $(git status --porcelain | wc -l) -eq 0",
    "echo caseless functional",
  ])("ask for nothing but themselves where all shells agree: %j", (line) => {
    expect(commandsIn(line).join()).not.toContain("sh -c")
  })
})
