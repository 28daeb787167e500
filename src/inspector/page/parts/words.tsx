import { visible } from "../../../util/visible.ts"

/** What people, models and tools wrote, within a line of ours: it cannot reverse the line or hide in it. */
export function Words({ text }: { text: string }) {
  return <bdi>{visible(text)}</bdi>
}
