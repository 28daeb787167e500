/** Why the inspector did not start. The jobs run on without it. */
export class InspectorError extends Error {
  override readonly name: string = "InspectorError"
}

export class PortTakenError extends InspectorError {
  override readonly name = "PortTakenError"
  constructor(port: number) {
    super(`inspector.port: ${port} is taken by another program. Choose a free one, or 0 for any free one.`)
  }
}

export class AddressRefusedError extends InspectorError {
  override readonly name = "AddressRefusedError"
  constructor(host: string) {
    super(
      `inspector.host: ${JSON.stringify(host)} is not this machine alone. The inspector listens on 127.0.0.1 or ::1 only.`,
    )
  }
}

export class TokenTooShortError extends InspectorError {
  override readonly name = "TokenTooShortError"
  constructor(length: number) {
    super(
      `inspector.token: has ${length} characters, needs ${TOKEN_LENGTH} or more. \`openssl rand -hex 32\` makes a good one.`,
    )
  }
}

/** Fewest characters of a token that a person chose. */
export const TOKEN_LENGTH = 32
