/** Why the inspector did not start. The jobs run on without it. */
export class InspectorError extends Error {
  override readonly name: string = "InspectorError"
}

export class PortTakenError extends InspectorError {
  override readonly name = "PortTakenError"
  constructor(port: number) {
    super(`inspector.port: ${port} is in use by another program. Choose another port, or 0 for any free one.`)
  }
}

/** It would be open to others than the person. */
export class AccessRefusedError extends InspectorError {
  override readonly name = "AccessRefusedError"
}
