/**
 * Offsets of queues that operators ask for or set.
 * Source: Apache classes ResetOffsetBody, ResetOffsetBodyForC, GetConsumerStatusBody,
 * QueryCorrectionOffsetBody; `broker-api.md` section 16.6.
 */
import { parseFastjson } from '../fastjson.ts'
import { javaJson } from './java-json.ts'
import { type MessageQueue, messageQueueOf, queueKeyed, queueNumbers } from './message-queue.ts'
import { asList, asNumber, asObject } from './shape.ts'

/** Offsets by queue. */
export type QueueOffsets = readonly (readonly [MessageQueue, number])[]

export function encodeResetOffsets(offsets: QueueOffsets): Buffer {
  return Buffer.from(`{"offsetTable":${queueKeyed(offsets)}}`)
}

/** The same for clients in C++, which cannot read objects as keys. */
export function encodeResetOffsetsForC(offsets: QueueOffsets): Buffer {
  const offsetTable = offsets.map(([{ brokerName, queueId, topic }, offset]) => ({
    ...{ brokerName, offset, queueId, topic },
  }))
  return Buffer.from(JSON.stringify({ offsetTable }))
}

/** Reads both forms. Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeResetOffsets(body: Buffer): QueueOffsets {
  const table = asObject(parseFastjson(body.toString()))['offsetTable']
  if (!Array.isArray(table)) return queueNumbers(table)
  return asList(table).map((row) => [messageQueueOf(row), asNumber(asObject(row)['offset'])])
}

/** What one client says of itself. */
export function encodeClientOffsets(offsets: QueueOffsets): Buffer {
  return Buffer.from(`{"consumerTable":{},"messageQueueTable":${queueKeyed(offsets)}}`)
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeClientOffsets(body: Buffer): QueueOffsets {
  return queueNumbers(asObject(parseFastjson(body.toString()))['messageQueueTable'])
}

/** What a broker says of the clients of a group, by their ids. */
export function encodeConsumerStatus(clients: ReadonlyMap<string, QueueOffsets>): Buffer {
  const rows = [...clients].map(([id, offsets]) => `${JSON.stringify(id)}:${queueKeyed(offsets)}`)
  return Buffer.from(`{"consumerTable":{${rows.join(',')}},"messageQueueTable":{}}`)
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumerStatus(body: Buffer): Map<string, QueueOffsets> {
  const clients = asObject(asObject(parseFastjson(body.toString()))['consumerTable'])
  return new Map(Object.entries(clients).map(([id, offsets]) => [id, queueNumbers(offsets)]))
}

/** The value that stands for "no correction", beyond what a number can say. Source: Long.MAX_VALUE. */
const NO_CORRECTION = '9223372036854775807'

/** Offsets by queue id; undefined where nothing is to be corrected. */
export function encodeCorrectionOffsets(offsets: ReadonlyMap<number, number | undefined>): Buffer {
  const rows = [...offsets].map(([id, offset]) => `${id}:${offset ?? NO_CORRECTION}`)
  return Buffer.from(`{"correctionOffsets":{${rows.join(',')}}}`)
}

/** Offsets of all groups as they are in `consumerOffset.json`: plain objects with numeric keys. */
export function encodeConsumerOffsets(table: {
  readonly dataVersion: unknown
  readonly offsetTable: ReadonlyMap<string, ReadonlyMap<number, number>>
}): Buffer {
  return Buffer.from(javaJson(table, 'plain'))
}
