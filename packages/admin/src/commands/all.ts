/** Every verb of mqadmin. A new one needs its entry here, and nothing else. */
import type { AnyVerb } from '../verb.ts'
import { brokerStatusVerb } from './broker-status.ts'
import { clusterListVerb } from './cluster-list.ts'
import { consumerConnectionVerb, producerConnectionVerb, producerVerb } from './connections.ts'
import { consumeMessageVerb } from './consume-message.ts'
import { consumerProgressVerb } from './consumer-progress.ts'
import { consumerStatusVerb } from './consumer-status.ts'
import { listDeadLettersVerb, resendDeadLettersVerb } from './dead-letters.ts'
import { deleteTopicVerb } from './delete-topic.ts'
import {
  deleteSubGroupVerb,
  getConsumerConfigVerb,
  subscriptionTransitionVerb,
  updateSubGroupVerb,
} from './group-settings.ts'
import { haStatusVerb } from './ha-status.ts'
import { queryMsgTraceByIdVerb } from './message-trace.ts'
import {
  cloneGroupOffsetVerb,
  resetOffsetByTimeVerb,
  skipAccumulatedMessageVerb,
} from './move-offsets.ts'
import { queryCqVerb } from './query-cq.ts'
import {
  queryMsgByIdVerb,
  queryMsgByKeyVerb,
  queryMsgByOffsetVerb,
  queryMsgByUniqueKeyVerb,
} from './query-message.ts'
import { recallMessageVerb } from './recall-message.ts'
import { sendMessageVerb } from './send-message.ts'
import { sequenceAuditVerb } from './sequence-audit.ts'
import { topicListVerb } from './topic-list.ts'
import { topicRouteVerb } from './topic-route.ts'
import { topicStatusVerb } from './topic-status.ts'
import { updateTopicVerb } from './update-topic.ts'
import { listOpenTransactionsVerb, listPendingTimersVerb } from './waiting.ts'

export const allVerbs: readonly AnyVerb[] = [
  updateTopicVerb,
  deleteTopicVerb,
  topicListVerb,
  topicRouteVerb,
  topicStatusVerb,
  clusterListVerb,
  brokerStatusVerb,
  haStatusVerb,
  updateSubGroupVerb,
  deleteSubGroupVerb,
  getConsumerConfigVerb,
  subscriptionTransitionVerb,
  consumerConnectionVerb,
  producerConnectionVerb,
  producerVerb,
  consumerStatusVerb,
  consumerProgressVerb,
  resetOffsetByTimeVerb,
  skipAccumulatedMessageVerb,
  cloneGroupOffsetVerb,
  queryMsgByIdVerb,
  queryMsgByKeyVerb,
  queryMsgByUniqueKeyVerb,
  queryMsgByOffsetVerb,
  queryMsgTraceByIdVerb,
  queryCqVerb,
  listDeadLettersVerb,
  resendDeadLettersVerb,
  listPendingTimersVerb,
  recallMessageVerb,
  listOpenTransactionsVerb,
  sendMessageVerb,
  consumeMessageVerb,
  sequenceAuditVerb,
]
