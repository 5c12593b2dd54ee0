/**
 * GET_ALL_DELAY_OFFSET: how far delayed messages are delivered, for slaves.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 15.1.
 */
import { GET_ALL_DELAY_OFFSET } from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'

export function handleDelays(
  router: Router,
  { delayOffsets }: { readonly delayOffsets: DelayOffsetTable },
): void {
  router.on(GET_ALL_DELAY_OFFSET, () => ({
    body: [Buffer.from(JSON.stringify(delayOffsets.toJson()))],
  }))
}
