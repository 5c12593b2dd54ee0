/**
 * Builds what calls the handlers of a consumer, as its options say: concurrently or in order, with
 * or without another try for messages that fail. Owns nothing.
 */
import type { Cluster } from './cluster.ts'
import type { ConsumerConfig } from './config.ts'
import { ConcurrentConsumption } from './consume-concurrently.ts'
import { OrderlyConsumption } from './consume-orderly.ts'
import type { Consumption, ConsumptionEvents } from './consumption.ts'
import type { Handling } from './handlers.ts'
import type { Handover } from './handover.ts'
import type { OwnedQueue } from './owned-queue.ts'
import { giveBack, sendAgain } from './send-back.ts'

export interface ListeningParts extends ConsumptionEvents {
  readonly config: ConsumerConfig
  readonly cluster: Cluster
  readonly handover: Handover
  /** Whether another handler may begin beside those that run. */
  readonly hasRoom: (running: number) => boolean
  readonly handlingOf: (topic: string) => Handling
  /** Whether an orderly consumer may handle messages of the queue now. */
  readonly isOurs: (owned: OwnedQueue) => boolean
}

export function newConsumption(parts: ListeningParts): Consumption {
  return parts.config.orderly ? orderly(parts) : concurrent(parts)
}

function concurrent(parts: ListeningParts): Consumption {
  const { config, cluster, hasRoom, handlingOf, onFailed, onHandled } = parts
  const { host, group, consumeTimeoutMs: timeoutMs } = config
  const { clock } = host
  const maxReconsumeTimes = limitOf(config)
  const sendBack = { host, cluster, group, maxReconsumeTimes }
  return new ConcurrentConsumption({
    ...{ clock, timeoutMs, hasRoom, handlingOf, onFailed, onHandled },
    giveBack: async (message, delayLevel, error) => {
      if (config.messageModel === 'broadcasting') return 'dropped'
      return await giveBack(sendBack, message, delayLevel, error)
    },
  })
}

function orderly(parts: ListeningParts): Consumption {
  const { config, cluster, handover, hasRoom, handlingOf, isOurs, onFailed, onHandled } = parts
  const { host, group, suspendCurrentQueueTimeMs: suspendMs } = config
  const { clock } = host
  const maxReconsumeTimes = limitOf(config)
  const sendBack = { host, cluster, group, maxReconsumeTimes }
  return new OrderlyConsumption({
    ...{ clock, suspendMs, hasRoom, handlingOf, onFailed, onHandled },
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
