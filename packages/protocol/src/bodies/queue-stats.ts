/**
 * Tables with a row per queue: how far a topic and its consumers are. They are maps keyed by an
 * object, which fastjson writes as the object itself.
 * Source: Apache classes TopicStatsTable, ConsumeStats; `broker-api.md` section 16.3.
 */
import { parseFastjson } from '../fastjson.ts'
import { type MessageQueue, queueKeyed, queueRows } from './message-queue.ts'
import { asNumber, asObject } from './shape.ts'

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

export function encodeTopicStats(stats: TopicStats): Buffer {
  const rows = stats.queues.map(({ queue, ...row }) => [queue, row] as const)
  return Buffer.from(
    `{"offsetTable":${queueKeyed(rows)},"topicPutTps":${decimal(stats.topicPutTps)}}`,
  )
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeTopicStats(body: Buffer): TopicStats {
  const json = asObject(parseFastjson(body.toString()))
  return {
    queues: queueRows(json['offsetTable']).map(([queue, row]) => ({
      queue,
      minOffset: asNumber(row['minOffset']),
      maxOffset: asNumber(row['maxOffset']),
      lastUpdateTimestamp: asNumber(row['lastUpdateTimestamp']),
    })),
    topicPutTps: asNumber(json['topicPutTps']),
  }
}

export function encodeConsumeStats(stats: ConsumeStats): Buffer {
  return Buffer.from(consumeStatsText(stats))
}

function consumeStatsText(stats: ConsumeStats): string {
  const rows = stats.queues.map(({ queue, ...row }) => [queue, row] as const)
  return `{"consumeTps":${decimal(stats.consumeTps)},"offsetTable":${queueKeyed(rows)}}`
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeConsumeStats(body: Buffer): ConsumeStats {
  const json = asObject(parseFastjson(body.toString()))
  return {
    queues: queueRows(json['offsetTable']).map(([queue, row]) => ({
      queue,
      brokerOffset: asNumber(row['brokerOffset']),
      consumerOffset: asNumber(row['consumerOffset']),
      pullOffset: asNumber(row['pullOffset']),
      lastTimestamp: asNumber(row['lastTimestamp']),
    })),
    consumeTps: asNumber(json['consumeTps']),
  }
}

/** How far every group of a broker is: for each group the stats of its topics. */
export interface ConsumeStatsList {
  readonly brokerAddr: string
  readonly groups: readonly (readonly [group: string, topics: readonly ConsumeStats[]])[]
  readonly totalDiff: number
  readonly totalInflightDiff: number
}

export function encodeConsumeStatsList(list: ConsumeStatsList): Buffer {
  const groups = list.groups.map(
    ([group, topics]) => `{${JSON.stringify(group)}:[${topics.map(consumeStatsText).join(',')}]}`,
  )
  return Buffer.from(
    `{"brokerAddr":${JSON.stringify(list.brokerAddr)},"consumeStatsList":[${groups.join(',')}],` +
      `"totalDiff":${list.totalDiff},"totalInflightDiff":${list.totalInflightDiff}}`,
  )
}

/** Java readers tell a double by its fraction. */
function decimal(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value)
}
