/**
 * Operations on a cluster, for programs. The same operations are the verbs of mqadmin.
 */
export { AdminClient, type AdminClientOptions } from './admin-client.ts'
export { AdminError } from './errors.ts'
export { clusterList, type ReplicaStatus } from './operations/cluster-list.ts'
export { clusterInfo, type Replica, replicas, type Target } from './operations/clusters.ts'
export { type ReadQueue, type ReadScope, readMessages } from './operations/consume-message.ts'
export {
  consumerProgress,
  type GroupSummary,
  groupSummaries,
  type Progress,
  type ProgressScope,
} from './operations/consumer-progress.ts'
export { deleteTopic } from './operations/delete-topic.ts'
export type { SeenMessage } from './operations/message.ts'
export { type SendTarget, sendMessage } from './operations/send-message.ts'
export { type TopicConsumer, topicConsumers, topicList } from './operations/topic-list.ts'
export { topicRoute } from './operations/topic-route.ts'
export { topicStatus } from './operations/topic-status.ts'
export { type UpdatedTopic, updateTopic, type WantedTopic } from './operations/update-topic.ts'
