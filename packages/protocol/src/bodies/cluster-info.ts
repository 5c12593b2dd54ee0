/**
 * All brokers that a name server knows, by name and by cluster.
 * Source: Apache class ClusterInfo; `namesrv.md` section 6.
 */
import { parseFastjson } from '../fastjson.ts'
import { javaJson } from './java-json.ts'
import { type BrokerData, brokerDataOf } from './route-data.ts'
import { asList, asObject, asText } from './shape.ts'

export interface ClusterInfo {
  /** Broker name to its addresses. */
  readonly brokerAddrTable: ReadonlyMap<string, BrokerData>
  /** Cluster name to the names of its brokers. */
  readonly clusterAddrTable: ReadonlyMap<string, readonly string[]>
}

/** Always in the plain form, as Apache does it. */
export function encodeClusterInfo(info: ClusterInfo): Buffer {
  return Buffer.from(javaJson(info, 'plain'))
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeClusterInfo(body: Buffer): ClusterInfo {
  const json = asObject(parseFastjson(body.toString()))
  const brokers = Object.entries(asObject(json['brokerAddrTable']))
  const clusters = Object.entries(asObject(json['clusterAddrTable']))
  return {
    brokerAddrTable: new Map(brokers.map(([name, broker]) => [name, brokerDataOf(broker)])),
    clusterAddrTable: new Map(
      clusters.map(([name, brokerNames]) => [
        name,
        asList(brokerNames).map((item) => asText(item)),
      ]),
    ),
  }
}
