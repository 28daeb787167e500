import { describe, expect, it, vi } from "vitest"
import { type JobRecord, NO_USAGE } from "../../../src/machines/record.ts"
import { withTexts } from "../../../src/plugin/records/texts.ts"
import { failed, hostDouble } from "../support/host-double.ts"
import { answerTo, askedBy } from "../support/opencode-data.ts"

const untold: JobRecord = {
  id: "a",
  session: "ses_1",
  owner: "owner",
  description: "Look",
  agent: "general",
  state: "done",
  run: 1,
  createdAt: 1,
  usage: NO_USAGE,
}
const asked = { session: "ses_1", messageID: "msg_1", partID: "prt_1", text: "Look.", agent: "general" }

describe("The text of a job that an earlier process has ended", () => {
  it("is the last that its child has written", async () => {
    const host = hostDouble()
    const answers = [answerTo(asked, "first"), answerTo(asked, "last"), answerTo(asked, "")]
    host.said.set("ses_1", [askedBy(asked), ...answers, askedBy({ ...asked, text: "and more" })])
    expect(await withTexts(host, [untold])).toEqual([{ record: { ...untold, text: "last" } }])
  })

  it("is empty where it wrote nothing", async () => {
    const host = hostDouble()
    host.said.set("ses_1", [askedBy(asked)])
    const silent = [untold, { ...untold, id: "b", session: "ses_2" }]
    expect(await withTexts(host, silent)).toStrictEqual(
      silent.map((record) => ({ record: { ...record, text: "" } })),
    )
  })

  it("is absent where its session is gone", async () => {
    const gone = { ...hostDouble(), messages: async () => failed("no such session", 404) }
    expect(await withTexts(gone, [untold])).toStrictEqual([{ record: untold }])
  })

  it("is a problem where opencode does not say", async () => {
    expect(await withTexts({ ...hostDouble(), messages: no }, [untold])).toEqual([
      { record: untold, problem: "not now" },
    ])
  })

  it("is not asked for where it is known, where the job runs, or where there was no session", async () => {
    const messages = vi.fn(no)
    const records: JobRecord[] = [
      { ...untold, text: "known" },
      { ...untold, text: "" },
      { ...untold, state: "prompting" },
      { ...untold, session: "", state: "failed" },
    ]
    expect(await withTexts({ ...hostDouble(), messages }, records)).toEqual(
      records.map((record) => ({ record })),
    )
    expect(messages).not.toHaveBeenCalled()
  })
})

const no = async () => failed("not now")
