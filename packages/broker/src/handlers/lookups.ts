/**
 * Looking messages up: by a key, and by the place in the log that an offset id names.
 * Source: Apache class QueryMessageProcessor; `broker-api.md` section 5.
 */
import { QUERY_MESSAGE, responseCode, VIEW_MESSAGE_BY_ID } from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'

export interface LookupParts {
  readonly store: Store
  /** Messages that a query by unique id asks for. */
  readonly uniqueKeyMaxMessages: number
}

export function handleLookups(router: Router, { store, uniqueKeyMaxMessages }: LookupParts): void {
  router
    .on(QUERY_MESSAGE, async ({ topic, key, maxNum, uniqueKeyQuery, ...times }) => {
      const maxMessages = uniqueKeyQuery === true ? uniqueKeyMaxMessages : maxNum
      const answer = await store.queryByKey(topic, key, { maxMessages, ...times })
      if (answer.records.length === 0) throw notFound(topic, key)
      return {
        header: {
          indexLastUpdateTimestamp: answer.indexLastUpdateTimestamp,
          indexLastUpdatePhyoffset: answer.indexLastUpdateOffset,
        },
        body: answer.records,
      }
    })
    .on(VIEW_MESSAGE_BY_ID, async ({ offset }) => {
      const record = await store.messageAt(offset)
      if (record === undefined) throw nothingAt(offset)
      return { body: [record] }
    })
}

function notFound(topic: string, key: string): Refusal {
  return new Refusal(
    responseCode.QUERY_NOT_FOUND,
    `can not find message, maybe time range not correct: in topic "${topic}" nothing with the ` +
      `key "${key}" was stored in that time, or it has been removed since`,
  )
}

function nothingAt(offset: number): Refusal {
  return new Refusal(
    responseCode.SYSTEM_ERROR,
    `can not find message by the offset, ${offset}: no message of this broker begins there, ` +
      'or it has been removed since',
  )
}
