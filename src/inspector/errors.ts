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

export class AddressRefusedError extends InspectorError {
  override readonly name = "AddressRefusedError"
  constructor(host: string) {
    super(
      `inspector.host: ${JSON.stringify(host)} is not a loopback address. The inspector listens only on 127.0.0.1 or ::1.`,
    )
  }
}

export class TokenTooShortError extends InspectorError {
  override readonly name = "TokenTooShortError"
  constructor(length: number) {
    super(
      `inspector.token: has ${length} characters, but requires at least ${TOKEN_LENGTH}. \`openssl rand -hex 32\` generates one.`,
    )
  }
}

/** Fewest characters of a token that a person chooses. */
export const TOKEN_LENGTH = 32
