/**
 * Builds what calls the handlers of a consumer, as its options say: concurrently or in order, with
 * or without another try for messages that fail. Owns nothing.
 */

import type { Handover } from '../balance/handover.ts'
import type { OwnedQueue } from '../balance/owned-queue.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { ConsumerConfig } from '../config.ts'
import type { ConsumeWatch } from '../hooks/consume-watch.ts'
import type { ReplyTo } from '../request-reply/replier.ts'
import { ConcurrentConsumption } from './consume-concurrently.ts'
import { OrderlyConsumption } from './consume-orderly.ts'
import type { Consumption, ConsumptionEvents } from './consumption.ts'
import type { Handling } from './handlers.ts'
import { giveBack, sendAgain } from './send-back.ts'

export interface ConsumptionTerms extends ConsumptionEvents {
  readonly config: ConsumerConfig
  readonly cluster: Cluster
  readonly handover: Handover
  readonly handlingOf: (topic: string) => Handling
  readonly reply: ReplyTo
  /** Calls the hooks around handlers. */
  readonly watch: ConsumeWatch
  /** Whether an orderly consumer may handle messages of the queue now. */
  readonly isOurs: (owned: OwnedQueue) => boolean
}

/** Whether another handler may begin beside those that run. */
type HasRoom = (running: number) => boolean

export function newConsumption(terms: ConsumptionTerms, hasRoom: HasRoom): Consumption {
  const handlingOf = (topic: string): Handling => terms.watch.watched(terms.handlingOf(topic))
  const watched = { ...terms, handlingOf }
  return terms.config.orderly ? orderly(watched, hasRoom) : concurrent(watched, hasRoom)
}

function concurrent(terms: ConsumptionTerms, hasRoom: HasRoom): Consumption {
  const { config, cluster, handlingOf, onFailed, onHandled, reply } = terms
  const { host, group, consumeTimeoutMs: timeoutMs } = config
  const { clock } = host
  const maxReconsumeTimes = limitOf(config)
  const sendBack = { host, cluster, group, maxReconsumeTimes }
  return new ConcurrentConsumption({
    ...{ clock, timeoutMs, hasRoom, handlingOf, onFailed, onHandled, reply },
    giveBack: async (message, delayLevel, error) => {
      if (config.messageModel === 'broadcasting') return 'dropped'
      return await giveBack(sendBack, message, delayLevel, error)
    },
  })
}

function orderly(terms: ConsumptionTerms, hasRoom: HasRoom): Consumption {
  const { config, cluster, handover, handlingOf, isOurs, onFailed, onHandled, reply } = terms
  const { host, group, suspendCurrentQueueTimeMs: suspendMs } = config
  const { clock } = host
  const maxReconsumeTimes = limitOf(config)
  const sendBack = { host, cluster, group, maxReconsumeTimes }
  return new OrderlyConsumption({
    ...{ clock, suspendMs, hasRoom, handlingOf, onFailed, onHandled, reply },
    maxReconsumeTimes: maxReconsumeTimes ?? Number.POSITIVE_INFINITY,
    isLocked: isOurs,
    locked: (owned) => handover.locked(owned),
    layAside: async (message, error) => {
      if (config.messageModel === 'broadcasting') return 'dropped'
      await sendAgain(sendBack, message, 0, error)
      return 'laid aside'
    },
  })
}

/** Undefined: as the settings of the group say, or without a limit for an orderly consumer. */
function limitOf({ maxReconsumeTimes }: ConsumerConfig): number | undefined {
  return maxReconsumeTimes < 0 ? undefined : maxReconsumeTimes
}
