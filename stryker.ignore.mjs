/**
 * Mutants that prove nothing in a machine's definition. Without its `id` or an `initial` state xstate refuses to make
 * the machine at all, so that no test runs, which Stryker takes for "no test fails". `types` is for the compiler.
 */
export const strykerPlugins = [{ kind: "Ignore", name: "machine definitions", value: { shouldIgnore } }]

function shouldIgnore({ node, parentPath }) {
  const key = parentPath?.isObjectProperty() && parentPath.node.value === node ? parentPath.node.key.name : ""
  if (node.type === "StringLiteral" && (key === "id" || key === "initial")) {
    return `a machine without its \`${key}\` cannot be made`
  }
  if (node.type === "ObjectExpression" && key === "types") return "types are for the compiler alone"
  return undefined
}
