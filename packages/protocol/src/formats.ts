/**
 * What lies on disk and in bodies, record by record.
 */
export { parseFastjson } from './fastjson.ts'
export {
  DEAD_LETTER_PREFIX,
  groupNameProblem,
  isDeadLetterTopic,
  isRetryTopic,
  isSendForbidden,
  isSystemTopic,
  RETRY_PREFIX,
  retryTopicOf,
  topicNameProblem,
} from './names.ts'
export { javaHashCode } from './tag-hash.ts'
