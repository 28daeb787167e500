import { homedir } from "node:os"
import { describe, expect, it } from "vitest"
import { leadsOutside, moves } from "../../../src/plugin/host/folders.ts"

const names = new Set([...moves, "rm", "cp"])

describe("Where a line for the shell leads outside of the project", () => {
  it.each<[line: string, paths: string[]]>([
    ["cd .. && npm test", ["/home/me"]],
    ["cd '../other'; cd \"/tmp\"", ["/home/me/other", "/tmp"]],
    ["cd app && cd ./app/../src && rm -rf ./dist", []],
    ["cp -r a /etc/b > /var/log/c", ["/etc/b"]],
    ["rm ~/notes", [`${homedir()}/notes`]],
    ["A=1 rm ../x*.o", ["/home/me/x"]],
    ["echo $(rm /etc/passwd)", ["/etc/passwd"]],
    ["npm test -- /etc/passwd", []],
    ["cd $HOME && cd `pwd` && rm *", []],
    ["cd ..data", []],
  ])("is seen in %s", (line, paths) => {
    expect(leadsOutside(line, names, ["/home/me/project"])).toEqual(paths)
  })

  it("counts all folders of the project, but not the root of everything, which stands for none", () => {
    expect(leadsOutside("cd ..", moves, ["/repository/app", "/repository"])).toEqual([])
    expect(leadsOutside("cd ..", moves, ["/repository/app", "/"])).toEqual(["/repository"])
  })
})
