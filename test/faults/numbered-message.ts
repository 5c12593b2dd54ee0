/**
 * Messages of which every byte, key and property follows from their number, so that a reader can
 * tell which one it is and whether it is still what was sent. Owns nothing.
 */
import type { Message } from '@rockhopper/client'
import { decodeProperties, type StoredRecord } from '@rockhopper/protocol'
import { SimRandom } from '@rockhopper/sim'

const LEAST_BODY_BYTES = 128
const BODY_SIZES = 129
const NUMBER_BYTES = 4
const NOISE = new SimRandom(20_260_728).bytes(64 * 1024)
const TAGS = ['red', 'green', 'blue', 'grey']

const UNIQUE_KEY = 'UNIQ_KEY'
/** Key, tag, origin and unique key. */
const OWN_PROPERTIES = 4
/** What client and broker add beside the unique key. Batches get a part of it. */
const ADDED: Readonly<Record<string, string>> = {
  WAIT: 'true',
  CLUSTER: 'DefaultCluster',
  MSG_REGION: 'DefaultRegion',
  TRACE_ON: 'true',
}

/** A body of 128 to 256 bytes, a tag, a key and a property of its own. */
export function numberedMessage(topic: string, number: number): Message {
  return {
    topic,
    body: bodyOf(number),
    tag: tagOf(number),
    keys: String(number),
    properties: { origin: originOf(number) },
  }
}

/** What a stored message is, if all of it is as it was sent. */
export interface Recognized {
  readonly number: number
  readonly uniqueKey: string
}

/** Undefined when a byte of the body, a property, the flag or the topic is not as it was made. */
export function recognize(record: StoredRecord, topic: string): Recognized | undefined {
  const { body } = record
  if (record.topic !== topic || record.flag !== 0 || body.length < NUMBER_BYTES) return undefined
  const number = body.readUInt32BE(0)
  if (!body.equals(bodyOf(number))) return undefined
  const properties = decodeProperties(record.properties)
  const uniqueKey = properties.get(UNIQUE_KEY)
  if (uniqueKey === undefined || !hasOwn(properties, number)) return undefined
  return { number, uniqueKey }
}

function hasOwn(properties: ReadonlyMap<string, string>, number: number): boolean {
  if (properties.get('KEYS') !== String(number)) return false
  if (properties.get('TAGS') !== tagOf(number)) return false
  if (properties.get('origin') !== originOf(number)) return false
  let others = 0
  for (const [name, value] of properties) if (ADDED[name] !== value) others++
  return others === OWN_PROPERTIES
}

function bodyOf(number: number): Buffer {
  const mixed = mix(number)
  const sizeBytes = LEAST_BODY_BYTES + (mixed % BODY_SIZES)
  const start = (mixed >>> 8) % (NOISE.length - LEAST_BODY_BYTES - BODY_SIZES)
  const body = Buffer.allocUnsafe(sizeBytes)
  body.writeUInt32BE(number, 0)
  NOISE.copy(body, NUMBER_BYTES, start, start + sizeBytes - NUMBER_BYTES)
  return body
}

function tagOf(number: number): string {
  return TAGS[number % TAGS.length] ?? ''
}

function originOf(number: number): string {
  return String(mix(number ^ 0x5555))
}

function mix(number: number): number {
  const spread = Math.imul(number ^ (number >>> 15), 2_654_435_761)
  return (spread ^ (spread >>> 13)) >>> 0
}
