/**
 * What names a message that waits for its time, so that it can be called off.
 *
 *   base64url( "v1" topic brokerName timestampMs uniqueKey, joined by blanks )
 *
 * Source: Apache class RecallMessageHandle.
 */
export interface RecallHandle {
  readonly topic: string
  readonly brokerName: string
  /** A time within the slot in which the message is due, ms since 1970. */
  readonly timestampMs: number
  /** Unique key of the message. */
  readonly uniqueKey: string
}

const VERSION = 'v1'
/** The alphabet of URLs; Java's decoder takes no other. */
const HANDLE = /^[A-Za-z0-9_-]+={0,2}$/

export function encodeRecallHandle(handle: RecallHandle): string {
  const { brokerName, timestampMs, topic, uniqueKey } = handle
  const bytes = Buffer.from([VERSION, topic, brokerName, timestampMs, uniqueKey].join(' '))
  const text = bytes.toString('base64url')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/** Undefined when the text is no handle. */
export function decodeRecallHandle(text: string): RecallHandle | undefined {
  if (!HANDLE.test(text)) return undefined
  const words = Buffer.from(text, 'base64url').toString().split(' ')
  const [version, topic, brokerName, timestamp, uniqueKey] = words
  if (version !== VERSION || topic === undefined || brokerName === undefined) return undefined
  if (timestamp === undefined || uniqueKey === undefined) return undefined
  const timestampMs = /^\d{1,15}$/.test(timestamp) ? Number(timestamp) : -1
  return { topic, brokerName, timestampMs, uniqueKey }
}
