/**
 * Mutants that prove nothing. Without its `id` or an `initial` state xstate refuses to make a machine at all, so that
 * no test runs, which Stryker takes for "no test fails". `types` is for the compiler. What states and transitions mean
 * is for documents, and test/docs looks at it.
 */
export const strykerPlugins = [{ kind: "Ignore", name: "machine definitions", value: { shouldIgnore } }]

function shouldIgnore(path) {
  const { node, parentPath } = path
  const key = parentPath?.isObjectProperty() && parentPath.node.value === node ? parentPath.node.key.name : ""
  if (node.type === "StringLiteral" && (key === "id" || key === "initial")) {
    return `a machine without its \`${key}\` cannot be made`
  }
  if (node.type === "ObjectExpression" && key === "types") return "types are for the compiler alone"
  if (key === "description" && path.findParent(isMachine)) return "test/docs looks at what states mean"
  if (isReasons(path)) return "reasons are words for documents alone"
  return undefined
}

const isMachine = ({ node }) =>
  node.type === "CallExpression" && node.callee.property?.name === "createMachine"

const isReasons = ({ node, parentPath }) =>
  node.type === "ObjectExpression" &&
  parentPath?.isVariableDeclarator() &&
  parentPath.node.id.name.endsWith("Reasons")
