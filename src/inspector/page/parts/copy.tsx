import { useSignal } from "@preact/signals"

/** `name`: what the button says. */
type Props = { name: string; text(): string; isSmall?: boolean }

export function Copy({ name, text, isSmall = false }: Props) {
  const copied = useSignal<"no" | "yes" | "refused">("no")
  const copy = async () => {
    copied.value = await navigator.clipboard.writeText(text()).then(
      () => "yes" as const,
      () => "refused" as const,
    )
    setTimeout(() => (copied.value = "no"), 4_000)
  }
  return (
    <>
      <button type="button" class={isSmall ? "small" : ""} onClick={copy}>
        {copied.value === "yes" ? "Copied" : name}
      </button>
      <span class={copied.value === "refused" ? "why" : "hidden"} role="status">
        {copied.value === "yes" && "Copied"}
        {copied.value === "refused" && `${name}: the browser denied access to the clipboard`}
      </span>
    </>
  )
}
