import { visible } from "../model/visible.ts"

/** What people, models and tools wrote, in a line of ours: it can neither turn the line round nor hide in it. */
export function Words({ text }: { text: string }) {
  return <bdi>{visible(text)}</bdi>
}
