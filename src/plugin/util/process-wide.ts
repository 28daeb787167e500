/**
 * A value that all copies of this module in the process share: opencode makes an instance of the plugin for each
 * directory, and may load more than one version of it.
 */
export function shared<T extends object>(name: string, make: () => T): T {
  const key = Symbol.for(`opencode-troupe.${name}`)
  // Nobody but this function writes under our names.
  const found = Reflect.get(globalThis, key) as T | undefined
  const value = found ?? make()
  Reflect.set(globalThis, key, value)
  return value
}
