/**
 * Tables with a row per queue: how far a topic and its consumers are. They are maps keyed by an
 * object, which fastjson writes as the object itself.
 * Source: Apache classes TopicStatsTable, ConsumeStats; `broker-api.md` section 16.3.
 */
import { parseFastjson } from '../fastjson.ts'
import { asNumber, asObject, asText, type JsonObject } from './shape.ts'

export interface MessageQueue {
  readonly topic: string
  readonly brokerName: string
  readonly queueId: number
}

export interface TopicQueueStats {
  readonly queue: MessageQueue
  readonly minOffset: number
  readonly maxOffset: number
  /** Store time of the last message, ms since 1970; 0 when there is none. */
  readonly lastUpdateTimestamp: number
}

export interface TopicStats {
  readonly queues: readonly TopicQueueStats[]
  readonly topicPutTps: number
}

export interface ConsumeQueueStats {
  readonly queue: MessageQueue
  readonly brokerOffset: number
  readonly consumerOffset: number
  readonly pullOffset: number
  /** Store time of the last message consumed, ms since 1970; 0 when there is none. */
  readonly lastTimestamp: number
}

export interface ConsumeStats {
  readonly queues: readonly ConsumeQueueStats[]
  readonly consumeTps: number
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

export function encodeTopicStats(stats: TopicStats): Buffer {
  const rows = stats.queues.map(({ queue, ...row }) => [queue, row] as const)
  return Buffer.from(
    `{"offsetTable":${objectKeyed(rows)},"topicPutTps":${decimal(stats.topicPutTps)}}`,
  )
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeTopicStats(body: Buffer): TopicStats {
  const json = asObject(parseFastjson(body.toString()))
  return {
    queues: rowsOf(json['offsetTable'], (queue, row) => ({
      queue,
      minOffset: asNumber(row['minOffset']),
      maxOffset: asNumber(row['maxOffset']),
      lastUpdateTimestamp: asNumber(row['lastUpdateTimestamp']),
    })),
    topicPutTps: asNumber(json['topicPutTps']),
  }
}

export function encodeConsumeStats(stats: ConsumeStats): Buffer {
  const rows = stats.queues.map(({ queue, ...row }) => [queue, row] as const)
  return Buffer.from(
    `{"consumeTps":${decimal(stats.consumeTps)},"offsetTable":${objectKeyed(rows)}}`,
  )
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumeStats(body: Buffer): ConsumeStats {
  const json = asObject(parseFastjson(body.toString()))
  return {
    queues: rowsOf(json['offsetTable'], (queue, row) => ({
      queue,
      brokerOffset: asNumber(row['brokerOffset']),
      consumerOffset: asNumber(row['consumerOffset']),
      pullOffset: asNumber(row['pullOffset']),
      lastTimestamp: asNumber(row['lastTimestamp']),
    })),
    consumeTps: asNumber(json['consumeTps']),
  }
}

function objectKeyed(rows: readonly (readonly [MessageQueue, object])[]): string {
  const entries = rows.map(([queue, row]) => `${queueKey(queue)}:${JSON.stringify(row)}`)
  return `{${entries.join(',')}}`
}

/** Keys in alphabetical order, as fastjson writes them and Go clients cut them. */
function queueKey({ brokerName, queueId, topic }: MessageQueue): string {
  return JSON.stringify({ brokerName, queueId, topic })
}

/** Java readers tell a double by its fraction. */
function decimal(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value)
}

/** The reader turns an object in key position into its JSON text. */
function rowsOf<T>(table: unknown, rowOf: (queue: MessageQueue, row: JsonObject) => T): T[] {
  return Object.entries(asObject(table)).map(([key, row]) =>
    rowOf(messageQueueOf(parseFastjson(key)), asObject(row)),
  )
}
