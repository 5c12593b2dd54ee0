/**
 * A queue of a topic on a broker, alone and as the key of a map: fastjson writes such a key as the
 * object itself. Source: Apache class MessageQueue; `remoting.md` section 9.
 */
import { parseFastjson } from '../fastjson.ts'
import { asNumber, asObject, asText, type JsonObject } from './shape.ts'

export interface MessageQueue {
  readonly topic: string
  readonly brokerName: string
  readonly queueId: number
}

/** Reads a queue out of decoded JSON. */
export function messageQueueOf(value: unknown): MessageQueue {
  const json = asObject(value)
  return {
    brokerName: asText(json['brokerName']),
    queueId: asNumber(json['queueId']),
    topic: asText(json['topic']),
  }
}

/** Text of a map from queues to plain values, as fastjson writes it. */
export function queueKeyed(rows: readonly (readonly [MessageQueue, unknown])[]): string {
  return `{${rows.map(([queue, row]) => `${queueText(queue)}:${JSON.stringify(row)}`).join(',')}}`
}

/** The rows of such a map in decoded JSON: the reader turned each key into its JSON text. */
export function queueRows(table: unknown): [MessageQueue, JsonObject][] {
  return queueEntries(table).map(([queue, row]) => [queue, asObject(row)])
}

/** The same for a map from queues to numbers. */
export function queueNumbers(table: unknown): [MessageQueue, number][] {
  return queueEntries(table).map(([queue, number]) => [queue, asNumber(number)])
}

/** Throws `SyntaxError` when a key is no queue. */
function queueEntries(table: unknown): [MessageQueue, unknown][] {
  return Object.entries(asObject(table)).map(([key, row]) => [
    messageQueueOf(parseFastjson(key)),
    row,
  ])
}

/** Keys in alphabetical order, as fastjson writes them and Go clients cut them. */
function queueText({ brokerName, queueId, topic }: MessageQueue): string {
  return JSON.stringify({ brokerName, queueId, topic })
}
