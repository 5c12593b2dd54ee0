/** Every verb of mqadmin. A new one needs its entry here, and nothing else. */
import type { AnyVerb } from '../verb.ts'
import { clusterListVerb } from './cluster-list.ts'
import { consumeMessageVerb } from './consume-message.ts'
import { consumerProgressVerb } from './consumer-progress.ts'
import { deleteTopicVerb } from './delete-topic.ts'
import { sendMessageVerb } from './send-message.ts'
import { topicListVerb } from './topic-list.ts'
import { topicRouteVerb } from './topic-route.ts'
import { topicStatusVerb } from './topic-status.ts'
import { updateTopicVerb } from './update-topic.ts'

export const allVerbs: readonly AnyVerb[] = [
  updateTopicVerb,
  deleteTopicVerb,
  topicListVerb,
  topicRouteVerb,
  topicStatusVerb,
  clusterListVerb,
  consumerProgressVerb,
  sendMessageVerb,
  consumeMessageVerb,
]
