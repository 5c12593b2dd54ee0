/**
 * Names of topics and groups: which are allowed, which are special.
 * Source: Apache classes TopicValidator, Validators, NamespaceUtil; `broker-api.md` section 2.6.
 */

export const RETRY_PREFIX = '%RETRY%'
export const DEAD_LETTER_PREFIX = '%DLQ%'
export const COURTESY_PREFIX = '%HANDOVER%'

/** Topic to which clients send what they write down of messages, unless told another. */
export const TRACE_TOPIC = 'RMQ_SYS_TRACE_TOPIC'

const MAX_TOPIC_CHARS = 127
/** Topics made of a prefix and a group may be longer. */
const MAX_GROUP_TOPIC_CHARS = 255
const MAX_GROUP_CHARS = 120

const ALLOWED = /^[%|a-zA-Z0-9_-]+$/

const forbiddenToSend: ReadonlySet<string> = new Set([
  'SCHEDULE_TOPIC_XXXX',
  'RMQ_SYS_TRANS_HALF_TOPIC',
  'RMQ_SYS_TRANS_OP_HALF_TOPIC',
  'TRANS_CHECK_MAX_TIME_TOPIC',
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
])

const systemTopics: ReadonlySet<string> = new Set([
  ...forbiddenToSend,
  'TBW102',
  'BenchmarkTest',
  TRACE_TOPIC,
  'CHECKPOINT_TOPIC',
])

/**
 * Under which name members of this suite lock queues that they handle concurrently: a courtesy among
 * them, which Apache's members and brokers know nothing of.
 */
export function courtesyGroupOf(group: string): string {
  return COURTESY_PREFIX + group
}

/** Topic in which the failed messages of a group wait for their next try. */
export function retryTopicOf(group: string): string {
  return RETRY_PREFIX + group
}

/** Topic of the messages that a group failed to consume too often. */
export function deadLetterTopicOf(group: string): string {
  return DEAD_LETTER_PREFIX + group
}

/** Topic of the replies to requests, which every cluster has. Source: Apache class MixAll. */
export function replyTopicOf(clusterName: string): string {
  return `${clusterName}_REPLY_TOPIC`
}

export function isRetryTopic(topic: string): boolean {
  return topic.startsWith(RETRY_PREFIX)
}

export function isDeadLetterTopic(topic: string): boolean {
  return topic.startsWith(DEAD_LETTER_PREFIX)
}

/** Topics that belong to the system: they cannot be created, changed or deleted by hand. */
export function isSystemTopic(topic: string): boolean {
  return systemTopics.has(topic) || topic.startsWith('rmq_sys_')
}

/** System topics that only the broker itself writes. */
export function isSendForbidden(topic: string): boolean {
  return forbiddenToSend.has(topic)
}

/** What is wrong with the name of a topic, as a sentence; undefined when nothing is. */
export function topicNameProblem(topic: string): string | undefined {
  const ofGroup = isRetryTopic(topic) || isDeadLetterTopic(topic)
  return problem('topic', topic, ofGroup ? MAX_GROUP_TOPIC_CHARS : MAX_TOPIC_CHARS)
}

/** What is wrong with the name of a group, as a sentence; undefined when nothing is. */
export function groupNameProblem(group: string): string | undefined {
  return problem('group', group, MAX_GROUP_CHARS)
}

function problem(kind: string, name: string, limit: number): string | undefined {
  if (name === '') return `the name of the ${kind} is empty`
  if (name.length > limit) {
    return `the name of the ${kind} has ${name.length} characters, ${limit} are allowed`
  }
  if (ALLOWED.test(name)) return undefined
  return `the ${kind} "${name}" has a character that is not allowed: use letters, digits, % | _ -`
}
