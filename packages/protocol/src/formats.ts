/**
 * What lies on disk and in bodies, record by record.
 */
export { type BatchEntry, decodeBatch, encodeBatch } from './batch.ts'
export {
  CRC_PROPERTY_BYTES,
  hasSoundCrcProperty,
  withCrcPlace,
  writeCrcProperty,
} from './crc-property.ts'
export {
  DEFAULT_DELAY_LEVELS,
  DELAY_TOPIC,
  type DelayLevels,
  delayLevelsOf,
  delayOf,
  fitsUnit,
  TIMER_TOPIC,
  unitTagsCodeOf,
} from './delay-levels.ts'
export { parseFastjson } from './fastjson.ts'
export { type HostAddress, hostAddress, ipText } from './host-address.ts'
export {
  FIRST_INDEX_ENTRY,
  INDEX_ENTRY_BYTES,
  INDEX_HEADER_BYTES,
  INDEX_SLOT_BYTES,
  type IndexEntry,
  type IndexHeader,
  type IndexShape,
  indexEntryAt,
  indexFileBytes,
  indexSeconds,
  indexSlotAt,
  readIndexEntry,
  readIndexHeader,
  writeIndexEntry,
  writeIndexHeader,
} from './index-file.ts'
export { readInt64, writeInt64 } from './int64.ts'
export {
  offsetIdPrefix,
  offsetMessageId,
  parseOffsetMessageId,
  UniqueKeys,
} from './message-id.ts'
export { MessageKeys, messageKeyHash, recordHasKey } from './message-keys.ts'
export {
  COURTESY_PREFIX,
  courtesyGroupOf,
  DEAD_LETTER_PREFIX,
  deadLetterTopicOf,
  groupNameProblem,
  isDeadLetterTopic,
  isRetryTopic,
  isSendForbidden,
  isSystemTopic,
  RETRY_PREFIX,
  replyTopicOf,
  retryTopicOf,
  TRACE_TOPIC,
  topicNameProblem,
} from './names.ts'
export {
  decodeProperties,
  encodeProperties,
  findProperty,
  propertyPair,
  tagsCodeOf,
} from './properties.ts'
export {
  isLive,
  isPreBlank,
  PRE_BLANK_UNIT,
  type QueueUnit,
  readUnit,
  UNIT_BYTES,
  writeUnit,
} from './queue-unit.ts'
export {
  BLANK_RECORD_BYTES,
  MAX_PROPERTIES_BYTES,
  propertiesAtOf,
  propertiesBytes,
  type RecordContent,
  type RecordPlace,
  type RecordView,
  readRecord,
  recordBytes,
  recordBytesUnder,
  type Scanned,
  STORE_TIMESTAMP_WITHIN_BYTES,
  type StoredRecord,
  scanRecord,
  scanView,
  storeTimestampOf,
  type TopiclessContent,
  topicAtOf,
  writeBlankRecord,
} from './record.ts'
export { RecordCursor } from './record-cursor.ts'
export { RecordWriter, writeRecord } from './record-writer.ts'
export {
  type Codec,
  type Compression,
  compressedFlags,
  compressionOf,
  isCommitted,
  isQueued,
  sysFlag,
  withTransaction,
} from './sys-flag.ts'
export { javaHashCode } from './tag-hash.ts'
