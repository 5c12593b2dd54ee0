/**
 * What becomes of the groups' offsets when the power failed. The log may have lost its end, which a
 * group had consumed and committed: the messages that get those places next would be behind its
 * offset, and it would never see them. Owns nothing. Apache leaves such offsets as they are.
 */
import type { Logger } from '@rockhopper/host'
import type { Store } from '@rockhopper/store'
import type { OffsetTable } from '../tables/offsets.ts'

export function takeBackOffsets(offsets: OffsetTable, store: Store, logger: Logger): void {
  if (!store.powerFailed) return
  const endOf = (topic: string, queueId: number): number =>
    store.queueBounds(topic, queueId).maxOffset
  const queues = offsets.takeBack(endOf)
  if (queues === 0) return
  logger.warn(
    'The power failed, and groups had consumed what the log lost: they go on with what comes next.',
    { queues },
  )
}
