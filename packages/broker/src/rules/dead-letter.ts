/**
 * What becomes of a message that its group has tried to consume too often, or not at all any more.
 * Source: Apache classes AbstractSendMessageProcessor, SendMessageProcessor, MessageConst; of the
 * properties DLQ_ORIGIN_… Apache's broker has the names and leaves them to others.
 */
import { deadLetterTopicOf, type TopicConfig } from '@rockhopper/protocol'
import { retryTopic } from './new-topic.ts'

/** The one queue that dead letters of a group have. */
export const DEAD_LETTER_QUEUE = 0

/** The topic of a group's dead letters, as it is made for the first of them. */
export function deadLetterTopic(group: string): TopicConfig {
  return retryTopic(deadLetterTopicOf(group), 1)
}

/** Notes where a message came from that becomes a dead letter, and that it is not to be delayed. */
export function markDeadLetter(properties: Map<string, string>, noDelay: '0' | '-1'): void {
  properties.set('DELAY', noDelay)
  const topic = properties.get('RETRY_TOPIC')
  const id = properties.get('ORIGIN_MESSAGE_ID')
  if (topic !== undefined) properties.set('DLQ_ORIGIN_TOPIC', topic)
  if (id !== undefined) properties.set('DLQ_ORIGIN_MESSAGE_ID', id)
}
