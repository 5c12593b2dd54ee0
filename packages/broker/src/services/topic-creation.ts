/**
 * A topic that is made by its first message. Source: Apache class TopicConfigManager
 * (createTopicInSendMessageMethod); `broker-api.md` section 3.1, step 6. Owns nothing.
 */
import { responseCode, type TopicConfig, topicNameProblem } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import type { BrokerConfig } from '../config.ts'
import { noTopicSentence, topicForSend } from '../rules/new-topic.ts'
import { DEFAULT_TOPIC } from '../rules/system-topics.ts'
import type { TopicTable } from '../tables/topics.ts'

/** What a request says of the topic that it is sent to. */
interface TopicWish {
  readonly topic: string
  readonly defaultTopic?: string | undefined
  readonly defaultTopicQueueNums?: number | undefined
}

interface CreationParts {
  readonly config: BrokerConfig
  readonly topics: TopicTable
}

/** Makes it; it is to be on disk before the message is acknowledged. Throws `Refusal`. */
export function createTopic(
  { defaultTopic = DEFAULT_TOPIC, defaultTopicQueueNums, topic }: TopicWish,
  { config, topics }: CreationParts,
): TopicConfig {
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw new Refusal(responseCode.INVALID_PARAMETER, problem)
  const created = topicForSend(topic, topics.get(defaultTopic), defaultTopicQueueNums)
  if (created === undefined || !topics.hasRoom) {
    const sentence = noTopicSentence(topic, config.autoCreateTopicEnable, topics.hasRoom)
    throw new Refusal(responseCode.TOPIC_NOT_EXIST, sentence)
  }
  topics.put(created)
  return created
}
