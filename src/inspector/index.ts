export {
  AddressRefusedError,
  InspectorError,
  PortTakenError,
  TOKEN_LENGTH,
  TokenTooShortError,
} from "./errors.ts"
export { type PageFiles, readPageFiles } from "./http/page-files.ts"
export { type Inspector, type StartOptions, startInspector } from "./inspector.ts"
export type { InspectorOptions } from "./options.ts"
export type { EndedText, Source } from "./source.ts"
