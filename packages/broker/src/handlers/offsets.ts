/**
 * Offsets of consumer groups, and the bounds of queues.
 * Source: Apache classes ConsumerManageProcessor, AdminBrokerProcessor; `broker-api.md` 4.6, 4.7.
 */
import type { Logger } from '@rockhopper/host'
import {
  encodeConsumerOffsets,
  GET_ALL_CONSUMER_OFFSET,
  GET_EARLIEST_MSG_STORETIME,
  GET_MAX_OFFSET,
  GET_MIN_OFFSET,
  type Header,
  languageName,
  QUERY_CONSUMER_OFFSET,
  readRecord,
  responseCode,
  SEARCH_OFFSET_BY_TIMESTAMP,
  UPDATE_CONSUMER_OFFSET,
  versionName,
} from '@rockhopper/protocol'
import { Refusal, type RequestContext, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import type { CommitOutcome, Commits } from '../services/commits.ts'
import type { ClientTable } from '../tables/clients.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'

export interface OffsetParts {
  readonly clients: ClientTable
  readonly commits: Commits
  readonly logger: Logger
  readonly totalMemoryBytes: number
  readonly offsets: OffsetTable
  readonly topics: TopicTable
  readonly store: Store
}

/** Why an offset was not noted. The first sentence is Apache's. */
const NOT_TAKEN: Readonly<Record<Exclude<CommitOutcome, 'taken'>, string>> = {
  reset: 'Offset has been previously reset',
  late: 'another member of the group has gone on with the queue, so it is not put back',
}

type CommitHeader = Header<typeof UPDATE_CONSUMER_OFFSET.tables.request>

export function handleOffsets(router: Router, parts: OffsetParts): void {
  const { commits, offsets, store, topics } = parts
  router
    .on(QUERY_CONSUMER_OFFSET, async (header, { connection }) => {
      const { consumerGroup, topic, queueId, setZeroIfNotFound } = header
      const committed = offsets.get(consumerGroup, topic, queueId)
      commits.told(header, connection)
      if (committed !== undefined) return { header: { offset: committed } }
      // A group that is new to a young queue starts at its beginning, whatever it was told.
      if (setZeroIfNotFound !== false && (await isYoung(topic, queueId, parts))) {
        return { header: { offset: 0 } }
      }
      throw new Refusal(
        responseCode.QUERY_NOT_FOUND,
        `Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first: "${consumerGroup}" ` +
          `never committed an offset of queue ${queueId} of "${topic}"`,
      )
    })
    .on(UPDATE_CONSUMER_OFFSET, (header, context) => {
      const { consumerGroup, topic, queueId, commitOffset } = header
      if (topics.get(topic) === undefined) {
        throw new Refusal(responseCode.TOPIC_NOT_EXIST, `topic "${topic}" does not exist`)
      }
      if (commitOffset < 0 || queueId < 0) {
        throw new Refusal(
          responseCode.INVALID_PARAMETER,
          `offset ${commitOffset} of queue ${queueId} cannot be committed: neither may be negative`,
        )
      }
      const from = offsets.get(consumerGroup, topic, queueId)
      const outcome = commits.take(header, commitOffset, context.connection)
      if (outcome === 'taken' && (from === undefined || commitOffset < from)) {
        auditForeign(header, from, context, parts)
      }
      return outcome === 'taken' ? {} : { remark: NOT_TAKEN[outcome] }
    })
    .on(GET_ALL_CONSUMER_OFFSET, () => ({ body: [encodeConsumerOffsets(offsets.table)] }))
    .on(GET_MAX_OFFSET, ({ topic, queueId }) => ({
      header: { offset: store.queueBounds(topic, queueId).maxOffset },
    }))
    .on(GET_MIN_OFFSET, ({ topic, queueId }) => ({
      header: { offset: store.queueBounds(topic, queueId).minOffset },
    }))
    .on(SEARCH_OFFSET_BY_TIMESTAMP, async ({ topic, queueId, timestamp, boundaryType }) => {
      const boundary = boundaryType?.toUpperCase() === 'UPPER' ? 'upper' : 'lower'
      return {
        header: { offset: await store.offsetByTime(topic, queueId, timestamp, boundary) },
      }
    })
    .on(GET_EARLIEST_MSG_STORETIME, async ({ topic, queueId }) => {
      const { minOffset } = store.queueBounds(topic, queueId)
      return { header: { timestamp: await store.storeTimeOf(topic, queueId, minOffset) } }
    })
}

/**
 * Older tools of operators reset and clone offsets by committing for a group that they are no member
 * of: they begin a queue, or move it back.
 */
function auditForeign(
  { commitOffset: to, consumerGroup: group, queueId, topic }: CommitHeader,
  from: number | undefined,
  { connection, head }: RequestContext,
  { clients, logger }: OffsetParts,
): void {
  if (clients.consumersOf(group)?.members.has(connection) === true) return
  const program = `${languageName(head.language)} ${versionName(head.version)}`
  logger.info('An offset was set by a client that is not a member of the group.', {
    ...{ by: connection.remote, program, client: clients.idOf(connection) },
    ...{ group, topic, queueId, from, to },
  })
}

/** Share of the machine's memory that the newest part of the log may take and still count as young. */
const YOUNG_SHARE = 0.4

/**
 * Whether a queue still has its first message, and that not far back in the log.
 * Source: Apache class ConsumerManageProcessor, `checkInDiskByConsumeOffset`.
 */
async function isYoung(
  topic: string,
  queueId: number,
  { store, totalMemoryBytes }: OffsetParts,
): Promise<boolean> {
  if (store.queueBounds(topic, queueId).minOffset > 0) return false
  const first = await store.read({ topic, queueId, offset: 0, maxMessages: 1, maxBytes: 1 })
  const record = first.slices[0] && readRecord(first.slices[0], 0)
  if (record === undefined) return true
  return store.runtime().writtenOffset - record.logOffset <= totalMemoryBytes * YOUNG_SHARE
}
