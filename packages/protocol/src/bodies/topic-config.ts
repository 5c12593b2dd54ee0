/**
 * A topic as a broker keeps it: how many queues, and what may be done with them.
 * Source: Apache classes TopicConfig, PermName, TopicConfigSerializeWrapper; `broker-api.md` 16.4.
 */
import { parseFastjson } from '../fastjson.ts'
import { type DataVersion, dataVersionOf, NO_DATA_VERSION } from './data-version.ts'
import { asBool, asNumber, asObject, asText } from './shape.ts'

export type TopicFilterType = 'SINGLE_TAG' | 'MULTI_TAG'

export interface TopicConfig {
  /** Settings of 5.x as texts, for example `message.type` → `FIFO`. */
  readonly attributes: Readonly<Record<string, string>>
  /** Whether the topic is ordered over all brokers. */
  readonly order: boolean
  /** Bits of `permission`. */
  readonly perm: number
  readonly readQueueNums: number
  readonly topicFilterType: TopicFilterType
  readonly topicName: string
  /** Bits: 1 unit, 2 unit subscription. */
  readonly topicSysFlag: number
  readonly writeQueueNums: number
}

/** Bits of a topic's or broker's `perm`. */
export const permission = { priority: 8, read: 4, write: 2, inherit: 1 } as const

/** What Apache gives a topic when nothing is said. */
const DEFAULT_QUEUES = 16
const DEFAULT_PERM = permission.read | permission.write

/** A topic with Apache's defaults for all that is not given. */
export function topicConfig(
  topicName: string,
  given: Partial<Omit<TopicConfig, 'topicName'>> = {},
): TopicConfig {
  return {
    attributes: given.attributes ?? {},
    order: given.order ?? false,
    perm: given.perm ?? DEFAULT_PERM,
    readQueueNums: given.readQueueNums ?? DEFAULT_QUEUES,
    topicFilterType: given.topicFilterType ?? 'SINGLE_TAG',
    topicName,
    topicSysFlag: given.topicSysFlag ?? 0,
    writeQueueNums: given.writeQueueNums ?? DEFAULT_QUEUES,
  }
}

/** Reads a topic out of decoded JSON; `topicName` serves when the value itself has none. */
export function topicConfigOf(value: unknown, topicName = ''): TopicConfig {
  const json = asObject(value)
  return topicConfig(asText(json['topicName'], topicName), {
    attributes: textsOf(json['attributes']),
    order: asBool(json['order']),
    perm: asNumber(json['perm'], DEFAULT_PERM),
    readQueueNums: asNumber(json['readQueueNums'], DEFAULT_QUEUES),
    topicFilterType: topicFilterTypeOf(json['topicFilterType']),
    topicSysFlag: asNumber(json['topicSysFlag']),
    writeQueueNums: asNumber(json['writeQueueNums'], DEFAULT_QUEUES),
  })
}

/** MULTI_TAG in any case, or as Java's ordinal 1; everything else is SINGLE_TAG. */
export function topicFilterTypeOf(value: unknown): TopicFilterType {
  const name = asText(value).toUpperCase()
  return name === 'MULTI_TAG' || name === '1' ? 'MULTI_TAG' : 'SINGLE_TAG'
}

export function encodeTopicConfig(config: TopicConfig): Buffer {
  return Buffer.from(JSON.stringify(config))
}

/** Throws `SyntaxError` when the body is not JSON. */
export function decodeTopicConfig(body: Buffer): TopicConfig {
  return topicConfigOf(parseFastjson(body.toString()))
}

/** All topics of a broker: the answer of GET_ALL_TOPIC_CONFIG and the file `config/topics.json`. */
export interface TopicConfigs {
  readonly dataVersion: DataVersion
  readonly topics: ReadonlyMap<string, TopicConfig>
}

/** Reads a table of topics out of decoded JSON. */
export function topicConfigsOf(value: unknown): TopicConfigs {
  const json = asObject(value)
  return {
    dataVersion: dataVersionOf(json['dataVersion']),
    topics: topicTableOf(json['topicConfigTable']),
  }
}

/** Reads the map from name to topic; a topic that says its own name stands under that one. */
function topicTableOf(value: unknown): Map<string, TopicConfig> {
  const entries = Object.entries(asObject(value))
  const topics = entries.map(([name, config]) => topicConfigOf(config, name))
  return new Map(topics.map((topic) => [topic.topicName, topic]))
}

/** The table as a plain object in the order of its names: `config/topics.json`. */
export function topicConfigsJson(configs: TopicConfigs): object {
  const names = [...configs.topics.keys()].sort()
  return {
    dataVersion: configs.dataVersion,
    topicConfigTable: Object.fromEntries(names.map((name) => [name, configs.topics.get(name)])),
  }
}

/** The table as 5.x brokers send it, the parts about static topics empty; 4.9 ignores those. */
export function topicWrapperJson(configs: TopicConfigs): object {
  return {
    dataVersion: configs.dataVersion,
    mappingDataVersion: NO_DATA_VERSION,
    topicConfigTable: Object.fromEntries(configs.topics),
    topicQueueMappingDetailMap: {},
    topicQueueMappingInfoMap: {},
  }
}

export function encodeTopicConfigs(configs: TopicConfigs): Buffer {
  return Buffer.from(JSON.stringify(topicWrapperJson(configs)))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeTopicConfigs(body: Buffer): TopicConfigs {
  return topicConfigsOf(parseFastjson(body.toString()))
}

function textsOf(value: unknown): Record<string, string> {
  const entries = Object.entries(asObject(value))
  return Object.fromEntries(entries.map(([key, text]) => [key, asText(text)]))
}
