/**
 * LOCK_BATCH_MQ and UNLOCK_BATCH_MQ: consumers get queues for themselves, and give them back.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 6.5.
 */
import {
  decodeQueueLockRequest,
  encodeLockedQueues,
  LOCK_BATCH_MQ,
  type QueueLockRequest,
  responseCode,
  UNLOCK_BATCH_MQ,
} from '@rockhopper/protocol'
import { Refusal, type Router } from '@rockhopper/remoting'
import { shortBody } from '../rules/json-body.ts'
import type { SavedTable } from '../services/table-files.ts'
import type { QueueLockTable } from '../tables/queue-locks.ts'

export interface LockParts {
  readonly locks: QueueLockTable
  readonly saved: SavedTable
}

export function handleLocks(router: Router, { locks, saved }: LockParts): void {
  router
    .on(LOCK_BATCH_MQ, async ({ leaseMs: wantedMs }, { body, connection }) => {
      const { clientId, consumerGroup, queues } = decode(body)
      const wish = wantedMs === undefined ? {} : { wantedMs, connection }
      const before = locks.revision.value
      const locked = locks.lock(consumerGroup, clientId, queues, wish)
      // A disk that takes nothing keeps nobody from consuming: it may be full of what they consume.
      if (locks.revision.value > before) await saved.attempted()
      return { body: [encodeLockedQueues(locked)] }
    })
    .on(UNLOCK_BATCH_MQ, (_header, { body }) => {
      const { clientId, consumerGroup, queues } = decode(body)
      locks.unlock(consumerGroup, clientId, queues)
      return {}
    })
}

function decode(body: Buffer): QueueLockRequest {
  const request = decodeQueueLockRequest(shortBody(body))
  if (request.clientId !== '' && request.consumerGroup !== '') return request
  const problem = 'a request for locks must name a clientId and a consumerGroup'
  throw new Refusal(responseCode.INVALID_PARAMETER, problem)
}
