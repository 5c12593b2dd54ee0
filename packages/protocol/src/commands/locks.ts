/**
 * The leases on queues by which consumers take the messages of a queue in order, one member of a
 * group at a time. Source: `broker-api.md` section 6.5.
 */
import { command } from '../command.ts'
import { int32, optional } from '../field.ts'

/**
 * Body: `QueueLockRequest`; answer body: the queues that the client has now. A client that gives
 * `leaseMs` relies on them no longer than it has this connection, and asks again when it is gone.
 */
export const LOCK_BATCH_MQ = command(41, 'LOCK_BATCH_MQ', {
  request: {
    leaseMs: optional(
      int32('how long the client wants them for, in ms, if less than usual; ours, not in Apache'),
    ),
  },
})

/** Body: `QueueLockRequest`; may be sent one way. */
export const UNLOCK_BATCH_MQ = command(42, 'UNLOCK_BATCH_MQ')
