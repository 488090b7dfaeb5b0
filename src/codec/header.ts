/** HTTP header grammar that the handshake needs (RFC 9110 §5.6, RFC 6455 §4.3, §9.1). */

/** Header fields in wire order; a name may occur more than once. */
export type HeaderList = readonly (readonly [name: string, value: string])[]

/** Parameters of one extension, in order; `true` for a parameter without a value (RFC 6455 §9.1). */
export type ExtensionParameters = readonly (readonly [name: string, value: string | true])[]

/** One element of `Sec-WebSocket-Extensions`. */
export interface ExtensionOffer {
  readonly name: string
  readonly parameters: ExtensionParameters
}
