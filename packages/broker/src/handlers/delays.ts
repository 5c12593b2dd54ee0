/**
 * GET_ALL_DELAY_OFFSET: how far delayed messages are delivered, for slaves.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 15.1.
 */
import { GET_ALL_DELAY_OFFSET } from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'

export interface DelayHandlerParts {
  readonly delayOffsets: DelayOffsetTable
  readonly store: Store
  /** Whether the table is its master's, as that was some time ago. */
  readonly isCopy: boolean
}

/**
 * With the end of the log that the table belongs to: a slave must have it so far before it believes
 * what was delivered.
 */
export function handleDelays(
  router: Router,
  { delayOffsets, isCopy, store }: DelayHandlerParts,
): void {
  router.on(GET_ALL_DELAY_OFFSET, () => {
    const logOffset = isCopy ? delayOffsets.saved.logOffset : store.runtime().appendedOffset
    return { body: [Buffer.from(JSON.stringify(delayOffsets.toJson(logOffset)))] }
  })
}
