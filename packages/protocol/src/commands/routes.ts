/**
 * Between brokers, clients and name servers: who serves what. Source: `namesrv.md` sections 3 to 8.
 */
import { command } from '../command.ts'
import { bool, int32, int64, name, optional, text } from '../field.ts'

const broker = {
  brokerName: name('name shared by a master and its slaves'),
  brokerAddr: text('ip:port that clients are to connect to'),
  clusterName: name('cluster of the broker'),
}

export const REGISTER_BROKER = command(103, 'REGISTER_BROKER', {
  request: {
    ...broker,
    haServerAddr: optional(text('ip:port for replication')),
    brokerId: int64('0 is the master, above 0 a slave'),
    heartbeatTimeoutMillis: optional(int64('silence after which the broker is dropped')),
    enableActingMaster: optional(bool('whether a slave may act as master')),
    compressed: optional(bool('whether the body is compressed')),
    bodyCrc32: optional(int32('CRC-32 of the body without its top bit; 0: not checked')),
  },
  answer: {
    haServerAddr: optional(text('replication address of the master')),
    masterAddr: optional(text('address of the master')),
  },
})

export const UNREGISTER_BROKER = command(104, 'UNREGISTER_BROKER', {
  request: { ...broker, brokerId: int64('0 is the master, above 0 a slave') },
})

/** Answer body: `TopicRouteData`. */
export const GET_ROUTEINFO_BY_TOPIC = command(105, 'GET_ROUTEINFO_BY_TOPIC', {
  request: {
    topic: name('topic asked about'),
    acceptStandardJsonOnly: optional(bool('whether the answer must be standard JSON')),
  },
})

/** Answer body: brokers by name, and broker names by cluster. */
export const GET_BROKER_CLUSTER_INFO = command(106, 'GET_BROKER_CLUSTER_INFO')

/** Body and answer body: data versions. */
export const QUERY_DATA_VERSION = command(322, 'QUERY_DATA_VERSION', {
  request: { ...broker, brokerId: optional(int64('0 is the master, above 0 a slave')) },
  answer: { changed: bool('whether the name server knows another version') },
})

export const BROKER_HEARTBEAT = command(904, 'BROKER_HEARTBEAT', {
  request: broker,
})

export const WIPE_WRITE_PERM_OF_BROKER = command(205, 'WIPE_WRITE_PERM_OF_BROKER', {
  request: { brokerName: name('broker that is to get no more messages') },
  answer: { wipeTopicCount: int32('topics that were changed') },
})

export const ADD_WRITE_PERM_OF_BROKER = command(327, 'ADD_WRITE_PERM_OF_BROKER', {
  request: { brokerName: name('broker that is to get messages again') },
  answer: { addTopicCount: int32('topics that were changed') },
})

/** Answer body: a topic list. */
export const GET_ALL_TOPIC_LIST_FROM_NAMESERVER = command(206, 'GET_ALL_TOPIC_LIST_FROM_NAMESERVER')

/** Answer body: a topic list. */
export const GET_TOPICS_BY_CLUSTER = command(224, 'GET_TOPICS_BY_CLUSTER', {
  request: { cluster: name('cluster asked about') },
})

/** Answer body: a topic list with the address of a broker. */
export const GET_SYSTEM_TOPIC_LIST_FROM_NS = command(304, 'GET_SYSTEM_TOPIC_LIST_FROM_NS')

export const DELETE_TOPIC_IN_NAMESRV = command(216, 'DELETE_TOPIC_IN_NAMESRV', {
  request: {
    topic: name('topic to forget'),
    clusterName: optional(name('only on the brokers of this cluster')),
  },
})
