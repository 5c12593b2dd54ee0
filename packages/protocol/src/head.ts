/**
 * The head of a frame: what the three header serializations have in common.
 * Source: Apache class RemotingCommand; `remoting.md` sections 1 to 5.
 */

/** The first byte of the header length word says how the header is written. */
export const serialization = {
  json: 0,
  binary: 1,
  /** Our own: msgpack, spoken only between peers that have both shown that they know it. */
  msgpack: 77,
} as const

export type Serialization = (typeof serialization)[keyof typeof serialization]

const FLAG_RESPONSE = 1
const FLAG_ONEWAY = 2

/** Flag of a request, of a request that wants no answer, and of an answer. */
export const flag = { request: 0, oneway: FLAG_ONEWAY, response: FLAG_RESPONSE } as const

export function isResponse(head: { readonly flag: number }): boolean {
  return (head.flag & FLAG_RESPONSE) !== 0
}

export function isOneway(head: { readonly flag: number }): boolean {
  return (head.flag & FLAG_ONEWAY) !== 0
}

/**
 * The ext fields as they came, not yet decoded: which of them matter depends on the command.
 * `binary` is the ext block of a binary head; `msgpack` are the values of a msgpack head in the order
 * of the field table, from `at` on, and behind them the further fields.
 */
export type Ext =
  | { readonly form: 'map'; readonly map: Readonly<Record<string, unknown>> }
  | { readonly form: 'binary'; readonly block: Buffer }
  | { readonly form: 'msgpack'; readonly bytes: Buffer; readonly at: number; readonly end: number }

export interface Head {
  /** Request code, or response code of an answer. */
  readonly code: number
  /** Correlates an answer with its request; unique per direction and connection. */
  readonly opaque: number
  readonly flag: number
  /** Ordinal of the sender's version (Apache class MQVersion). */
  readonly version: number
  /** Code of the sender's language (Apache class LanguageCode); unknown ones are kept. */
  readonly language: number
  readonly remark: string | undefined
  readonly serialization: Serialization
  readonly ext: Ext
}

/** A frame that breaks the protocol: the connection cannot be trusted any more. */
export class FrameError extends Error {
  override readonly name = 'FrameError'
}

/** A header whose fields are missing or unreadable: that request fails, the connection goes on. */
export class HeaderError extends Error {
  override readonly name = 'HeaderError'
}
