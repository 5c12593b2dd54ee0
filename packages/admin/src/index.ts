/**
 * Operations on a cluster, for programs. The same operations are the verbs of mqadmin.
 */
export { AdminClient, type AdminClientOptions } from './admin-client.ts'
export { AdminError } from './errors.ts'
export { brokerStatus } from './operations/broker-status.ts'
export { clusterList, type ReplicaStatus } from './operations/cluster-list.ts'
export { clusterInfo, type Replica, replicas, type Target } from './operations/clusters.ts'
export {
  consumerConnections,
  type GroupConnections,
  producerConnections,
  producers,
  runningInfo,
} from './operations/connections.ts'
export { type ReadQueue, readMessages } from './operations/consume-message.ts'
export { consumeQueue, type QueueScope } from './operations/consume-queue.ts'
export {
  consumerProgress,
  type GroupSummary,
  groupSummaries,
  type Progress,
  type ProgressScope,
} from './operations/consumer-progress.ts'
export {
  type ClientStatus,
  consumerStatus,
  type GroupStatus,
  type StatusScope,
} from './operations/consumer-status.ts'
export {
  deadLetters,
  type LetterChoice,
  type ResendTarget,
  type Resent,
  resendDeadLetters,
} from './operations/dead-letters.ts'
export { deleteTopic } from './operations/delete-topic.ts'
export {
  consumeDirectly,
  type KeyScope,
  type MessageTrack,
  messageById,
  messageByOffset,
  messagesByKey,
  messagesByUniqueKey,
  messageTracks,
  type TrackType,
} from './operations/find-message.ts'
export {
  deleteGroup,
  groupConfigs,
  type PlacedGroup,
  type UpdatedGroup,
  updateGroup,
  type WantedGroup,
} from './operations/groups.ts'
export { haStatus } from './operations/ha-status.ts'
export type { SeenMessage } from './operations/message.ts'
export {
  type ConsumeTrace,
  type MessageTrace,
  messageTrace,
  type TraceScope,
} from './operations/message-trace.ts'
export type { ReadScope } from './operations/read-queue.ts'
export { type Recalled, recallMessage } from './operations/recall-message.ts'
export {
  cloneOffsets,
  type ResetResult,
  type ResetScope,
  type Rollback,
  resetOffsets,
  resetQueue,
  TO_END,
} from './operations/reset-offset.ts'
export { type SendTarget, sendMessage } from './operations/send-message.ts'
export {
  type AuditedClient,
  type AuditedQueue,
  type GroupAudit,
  sequenceAudit,
} from './operations/sequence-audit.ts'
export { type TopicConsumer, topicConsumers, topicList } from './operations/topic-list.ts'
export { topicRoute } from './operations/topic-route.ts'
export { topicStatus } from './operations/topic-status.ts'
export { type UpdatedTopic, updateTopic, type WantedTopic } from './operations/update-topic.ts'
export { openTransactions, pendingTimers, type Waiting } from './operations/waiting.ts'
