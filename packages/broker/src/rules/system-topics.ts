/**
 * The topics and groups that every broker has from its start.
 * Source: Apache classes TopicConfigManager, SubscriptionGroupManager.
 */
import {
  permission,
  replyTopicOf,
  TIMER_TOPIC,
  type TopicConfig,
  topicConfig,
} from '@rockhopper/protocol'

const { read, write, inherit } = permission

export interface SystemTopicSettings {
  readonly brokerName: string
  readonly brokerClusterName: string
  readonly autoCreateTopicEnable: boolean
  readonly clusterTopicEnable: boolean
  readonly brokerTopicEnable: boolean
  readonly defaultTopicQueueNums: number
  readonly timerWheelEnable: boolean
  readonly traceTopicEnable: boolean
  readonly msgTraceTopicName: string
}

const DELAY_LEVELS = 18
const BENCHMARK_QUEUES = 1_024
const CLUSTER_TOPIC_QUEUES = 16

/** Topic whose settings new topics take over. */
export const DEFAULT_TOPIC = 'TBW102'

/** The broker itself, as it consumes half messages and those that tell which are done with. */
export const TRANSACTION_GROUP = 'CID_RMQ_SYS_TRANS'

export function systemTopics(settings: SystemTopicSettings): TopicConfig[] {
  const { brokerClusterName: clusterName, brokerName } = settings
  const topics: [string, number, number][] = [
    ['SELF_TEST_TOPIC', 1, read | write],
    ['BenchmarkTest', BENCHMARK_QUEUES, read | write],
    ['OFFSET_MOVED_EVENT', 1, read | write],
    ['SCHEDULE_TOPIC_XXXX', DELAY_LEVELS, read | write],
    ['RMQ_SYS_TRANS_HALF_TOPIC', 1, read | write],
    ['RMQ_SYS_TRANS_OP_HALF_TOPIC', 1, read | write],
    [replyTopicOf(clusterName), 1, read | write],
  ]
  if (settings.timerWheelEnable) topics.push([TIMER_TOPIC, 1, read | write])
  if (settings.traceTopicEnable) topics.push([settings.msgTraceTopicName, 1, read | write])
  if (settings.autoCreateTopicEnable) {
    topics.push([DEFAULT_TOPIC, settings.defaultTopicQueueNums, read | write | inherit])
  }
  const own = settings.clusterTopicEnable ? read | write | inherit : inherit
  topics.push([clusterName, CLUSTER_TOPIC_QUEUES, own])
  topics.push([brokerName, 1, settings.brokerTopicEnable ? read | write | inherit : inherit])
  return topics.map(([topicName, queues, perm]) =>
    topicConfig(topicName, { readQueueNums: queues, writeQueueNums: queues, perm }),
  )
}

/** Groups of Apache's tools and proxies, which expect to find them. */
export const systemGroups: readonly string[] = [
  'TOOLS_CONSUMER',
  'FILTERSRV_CONSUMER',
  'SELF_TEST_C_GROUP',
  'CID_ONS-HTTP-PROXY',
  'CID_ONSAPI_PULL',
  'CID_ONSAPI_PERMISSION',
  'CID_ONSAPI_OWNER',
  TRANSACTION_GROUP,
]
