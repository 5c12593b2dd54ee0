/**
 * How the queues of a static topic lie on one broker. Name servers only pass it on.
 * Source: Apache class TopicQueueMappingInfo; `namesrv.md` section 3.2.
 */
import { asBool, asNumber, asObject, asText } from './shape.ts'

export interface TopicQueueMappingInfo {
  /** Name of the broker. */
  readonly bname: string
  /** Queue of the whole topic to queue of the broker. */
  readonly currIdMap: ReadonlyMap<number, number>
  readonly dirty: boolean
  readonly epoch: number
  readonly scope: string
  readonly topic: string
  readonly totalQueues: number
}

export function queueMappingOf(value: unknown): TopicQueueMappingInfo {
  const json = asObject(value)
  const ids = Object.entries(asObject(json['currIdMap']))
  return {
    bname: asText(json['bname']),
    currIdMap: new Map(ids.map(([global, local]) => [asNumber(global), asNumber(local)])),
    dirty: asBool(json['dirty']),
    epoch: asNumber(json['epoch']),
    scope: asText(json['scope'], '__global__'),
    topic: asText(json['topic']),
    totalQueues: asNumber(json['totalQueues']),
  }
}

export function queueMappingsOf(value: unknown): Map<string, TopicQueueMappingInfo> {
  const entries = Object.entries(asObject(value))
  return new Map(entries.map(([name, mapping]) => [name, queueMappingOf(mapping)]))
}
