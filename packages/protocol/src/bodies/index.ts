/**
 * Bodies of requests and answers, one file per body.
 */
export * from './client-check.ts'
export * from './cluster-info.ts'
export * from './connections.ts'
export * from './consumer-answers.ts'
export * from './data-version.ts'
export * from './group-answers.ts'
export * from './ha-status.ts'
export * from './heartbeat.ts'
export { type JsonForm, javaJson } from './java-json.ts'
export * from './kv-table.ts'
export { type MessageQueue, messageQueueOf } from './message-queue.ts'
export * from './queue-locks.ts'
export * from './queue-mapping.ts'
export * from './queue-offsets.ts'
export * from './queue-stats.ts'
export * from './register-broker.ts'
export * from './route-data.ts'
export * from './shape.ts'
export * from './subscription-group.ts'
export {
  decodeTopicConfig,
  decodeTopicConfigs,
  encodeTopicConfig,
  encodeTopicConfigs,
  permission,
  type TopicConfig,
  type TopicConfigs,
  type TopicFilterType,
  topicConfig,
  topicConfigOf,
  topicConfigsJson,
  topicConfigsOf,
  topicFilterTypeOf,
} from './topic-config.ts'
export * from './topic-list.ts'
export * from './waiting.ts'
