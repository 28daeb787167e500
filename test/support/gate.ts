/** Something that a test holds back until it lets it through. */
export function gate<T = string>() {
  let open: (value: T) => void = () => {}
  const passed = new Promise<T>((resolve) => {
    open = resolve
  })
  return { passed, open: (value: T) => open(value) }
}
