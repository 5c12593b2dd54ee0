/**
 * What becomes of a message or a group whose topic does not exist yet: the configuration to create,
 * or the sentence that says why there is none. Source: `broker-api.md` section 3.1, step 6.
 */
import {
  isRetryTopic,
  permission,
  responseCode,
  type TopicConfig,
  topicConfig,
  topicNameProblem,
} from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'
import { MAX_QUEUES_PER_TOPIC } from '../limits.ts'
import { isInherited } from './permission.ts'

/** Queues that a client gets when it does not say how many it wants. */
const DEFAULT_CLIENT_QUEUES = 4

/**
 * The topic that a send to an unknown one creates: after a template with the inherit bit, with as
 * many queues as the client wants and the template allows; undefined when nothing is to be created.
 */
export function topicForSend(
  topic: string,
  template: TopicConfig | undefined,
  wantedQueues: number | undefined,
): TopicConfig | undefined {
  if (isRetryTopic(topic)) return retryTopic(topic, 1)
  if (template === undefined || !isInherited(template.perm)) return undefined
  const wanted = wantedQueues ?? DEFAULT_CLIENT_QUEUES
  const queues = Math.max(0, Math.min(wanted, template.writeQueueNums, MAX_QUEUES_PER_TOPIC))
  return topicConfig(topic, {
    readQueueNums: queues,
    writeQueueNums: queues,
    perm: template.perm & ~permission.inherit,
  })
}

/** What a request says of the topic that it is sent to. */
interface TopicWish {
  readonly topic: string
  readonly defaultTopicQueueNums?: number | undefined
}

/** The same for a topic that must be there. Throws `Refusal` when nothing is to be created. */
export function demandTopicForSend(
  { defaultTopicQueueNums, topic }: TopicWish,
  template: TopicConfig | undefined,
  hasRoom: boolean,
  autoCreate: boolean,
): TopicConfig {
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw new Refusal(responseCode.INVALID_PARAMETER, problem)
  const created = topicForSend(topic, template, defaultTopicQueueNums)
  if (created !== undefined && hasRoom) return created
  throw new Refusal(responseCode.TOPIC_NOT_EXIST, noTopicSentence(topic, autoCreate, hasRoom))
}

/** The topic in which a group's failed messages wait for their next try. */
export function retryTopic(topic: string, queues: number): TopicConfig {
  return topicConfig(topic, { readQueueNums: queues, writeQueueNums: queues })
}

/** Why a send to an unknown topic was refused, and what to do. */
export function noTopicSentence(topic: string, autoCreate: boolean, hasRoom: boolean): string {
  if (!hasRoom) return `topic "${topic}" does not exist, and this broker has as many as it can keep`
  const create = `create it with mqadmin updateTopic -t ${topic}`
  if (!autoCreate) {
    return `topic "${topic}" does not exist: ${create}, or set autoCreateTopicEnable=true`
  }
  return (
    `topic "${topic}" does not exist, and its default topic is not one that new topics ` +
    `are made after: ${create}, or send with the default topic TBW102`
  )
}
