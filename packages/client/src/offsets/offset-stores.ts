/**
 * Which store of offsets a consumer has: the brokers, or a local file where every member consumes
 * everything. Owns nothing.
 */
import type { BrokerOffsets } from '../cluster/broker-offsets.ts'
import type { ConsumerConfig } from '../config.ts'
import { LocalOffsets } from './local-offsets.ts'
import type { OffsetStore } from './offset-store.ts'
import { Offsets } from './offsets.ts'

type StoreConfig = Pick<
  ConsumerConfig,
  'host' | 'group' | 'consumeFromWhere' | 'messageModel' | 'localOffsetStoreDir'
>

/** The store that the options ask for. A local one is still to be loaded. */
export function offsetStoreOf(
  config: StoreConfig,
  clientId: string,
  broker: BrokerOffsets,
): OffsetStore {
  const offsets = new Offsets(broker, config.consumeFromWhere)
  if (config.messageModel === 'clustering') return offsets
  return new LocalOffsets({
    disk: config.host.disk,
    directory: config.localOffsetStoreDir,
    clientId,
    group: config.group,
    firstOffset: (queue) => offsets.firstOffset(queue),
  })
}
