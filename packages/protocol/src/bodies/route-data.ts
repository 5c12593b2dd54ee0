/**
 * Where a topic lives: its queues on each broker, and the brokers' addresses. Name servers answer
 * with it, clients route by it.
 * Source: Apache classes TopicRouteData, QueueData, BrokerData; `namesrv.md` section 5.1.
 */
import { parseFastjson } from '../fastjson.ts'
import { type JsonForm, javaJson } from './java-json.ts'
import { queueMappingsOf, type TopicQueueMappingInfo } from './queue-mapping.ts'
import { asBool, asList, asNumber, asObject, asText } from './shape.ts'

export interface QueueData {
  readonly brokerName: string
  /** Bits of `permission`. */
  readonly perm: number
  readonly readQueueNums: number
  /** Bits: 1 unit, 2 unit subscription. */
  readonly topicSysFlag: number
  readonly writeQueueNums: number
}

export interface BrokerData {
  /** Broker id to `ip:port`; 0 is the master. */
  readonly brokerAddrs: ReadonlyMap<number, string>
  readonly brokerName: string
  readonly cluster: string
  readonly enableActingMaster: boolean
  readonly zoneName?: string | undefined
}

export interface TopicRouteData {
  readonly brokerDatas: readonly BrokerData[]
  /** Broker address to filter servers; empty with today's brokers. */
  readonly filterServerTable: ReadonlyMap<string, readonly string[]>
  /** Of an ordered topic: `broker-a:4;broker-b:4`. */
  readonly orderTopicConf?: string | undefined
  readonly queueDatas: readonly QueueData[]
  /** Of a static topic: broker name to its part of the queues. */
  readonly topicQueueMappingByBroker?: ReadonlyMap<string, TopicQueueMappingInfo> | undefined
}

export function encodeTopicRoute(route: TopicRouteData, form: JsonForm): Buffer {
  return Buffer.from(javaJson(route, form))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeTopicRoute(body: Buffer): TopicRouteData {
  const json = asObject(parseFastjson(body.toString()))
  const filterServers = Object.entries(asObject(json['filterServerTable']))
  const mappings = json['topicQueueMappingByBroker']
  return {
    brokerDatas: asList(json['brokerDatas']).map(brokerDataOf),
    filterServerTable: new Map(
      filterServers.map(([address, list]) => [address, asList(list).map((item) => asText(item))]),
    ),
    ...optionalText('orderTopicConf', json['orderTopicConf']),
    queueDatas: asList(json['queueDatas']).map(queueDataOf),
    ...(mappings === undefined ? {} : { topicQueueMappingByBroker: queueMappingsOf(mappings) }),
  }
}

/** Reads a broker out of decoded JSON. */
export function brokerDataOf(value: unknown): BrokerData {
  const json = asObject(value)
  const addresses = Object.entries(asObject(json['brokerAddrs']))
  return {
    brokerAddrs: new Map(addresses.map(([id, address]) => [asNumber(id), asText(address)])),
    brokerName: asText(json['brokerName']),
    cluster: asText(json['cluster']),
    enableActingMaster: asBool(json['enableActingMaster']),
    ...optionalText('zoneName', json['zoneName']),
  }
}

/** Servers before 4.9, and the Go client, spell the flag `topicSynFlag`. */
function queueDataOf(value: unknown): QueueData {
  const json = asObject(value)
  return {
    brokerName: asText(json['brokerName']),
    perm: asNumber(json['perm']),
    readQueueNums: asNumber(json['readQueueNums']),
    topicSysFlag: asNumber(json['topicSysFlag'] ?? json['topicSynFlag']),
    writeQueueNums: asNumber(json['writeQueueNums']),
  }
}

function optionalText<K extends string>(key: K, value: unknown): Partial<Record<K, string>> {
  if (value === undefined || value === null) return {}
  return { [key]: asText(value) } as Partial<Record<K, string>>
}
