/**
 * What a broker tells of itself: its state and its configuration.
 * Source: Apache class AdminBrokerProcessor; `broker-api.md` section 12.
 */
import type { Clock } from '@rockhopper/host'
import {
  DELAY_TOPIC,
  encodeKvTable,
  formatConfig,
  GET_BROKER_CONFIG,
  GET_BROKER_RUNTIME_INFO,
  PROTOCOL_VERSION,
  storeTimestampOf,
  versionName,
} from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import type { Store } from '@rockhopper/store'
import { type BrokerConfig, brokerConfigTable } from '../config.ts'
import type { SubscriptionGuard } from '../services/subscription-guard.ts'
import type { TimedDelivery } from '../services/timed-delivery.ts'
import type { TrafficCounters } from '../services/traffic.ts'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'

export interface RuntimeParts {
  readonly clock: Clock
  readonly config: BrokerConfig
  readonly delayOffsets: DelayOffsetTable
  readonly guard: SubscriptionGuard
  /** Where this broker sends its log from, `host:port`. */
  readonly haServerAddr: string
  readonly store: Store
  readonly timedDelivery: TimedDelivery
  readonly traffic: TrafficCounters
}

export function handleRuntime(router: Router, parts: RuntimeParts): void {
  const bootMs = parts.clock.nowMs()
  router
    .on(GET_BROKER_CONFIG, () => ({
      body: [Buffer.from(formatConfig(brokerConfigTable, parts.config))],
    }))
    .on(GET_BROKER_RUNTIME_INFO, async () => {
      const table = {
        ...identity(parts, bootMs),
        ...trafficRows(parts.traffic),
        ...(await storeRows(parts.store)),
        haServerAddr: parts.haServerAddr,
        ...delayRows(parts),
        ...timerRows(parts),
        ...queueRows(router),
        ...parts.guard.figures(),
      }
      return { body: [encodeKvTable(new Map(Object.entries(table)))] }
    })
}

function identity({ clock }: RuntimeParts, bootMs: number): Record<string, string> {
  return {
    brokerActive: 'true',
    brokerVersion: String(PROTOCOL_VERSION),
    brokerVersionDesc: versionName(PROTOCOL_VERSION),
    bootTimestamp: String(bootMs),
    runtime: runtimeText(clock.nowMs() - bootMs),
    startAcceptSendRequestTimeStamp: '0',
  }
}

function trafficRows(traffic: TrafficCounters): Record<string, string> {
  const { putTotal, putBytesTotal, transferredTotal } = traffic
  return {
    ...traffic.rates(),
    putMessageTimesTotal: String(putTotal),
    putMessageSizeTotal: String(putBytesTotal),
    putMessageAverageSize: String(putTotal === 0 ? 0 : putBytesTotal / putTotal),
    msgPutTotalTodayNow: String(putTotal),
    msgGetTotalTodayNow: String(transferredTotal),
    msgPutTotalTodayMorning: '0',
    msgPutTotalYesterdayMorning: '0',
    msgGetTotalTodayMorning: '0',
    msgGetTotalYesterdayMorning: '0',
  }
}

async function storeRows(store: Store): Promise<Record<string, string>> {
  const figures = store.runtime()
  const { confirmedOffset, dispatchedOffset, freeDiskBytes, totalDiskBytes } = figures
  const usedRatio = totalDiskBytes === 0 ? 0 : 1 - freeDiskBytes / totalDiskBytes
  return {
    commitLogMinOffset: String(figures.minOffset),
    commitLogMaxOffset: String(figures.writtenOffset),
    commitLogDiskRatio: String(usedRatio),
    consumeQueueDiskRatio: String(usedRatio),
    commitLogDirCapacity: `Total : ${gib(totalDiskBytes)}, Free : ${gib(freeDiskBytes)}.`,
    dispatchBehindBytes: String(confirmedOffset - dispatchedOffset),
    remainHowManyDataToFlush: `${figures.writtenOffset - figures.flushedOffset} B`,
    earliestMessageTimeStamp: String(await earliestStoreTime(store, figures.minOffset)),
  }
}

/** For each level, the next message to deliver and the end of its queue. */
function delayRows({ delayOffsets, store }: RuntimeParts): Record<string, string> {
  const rows = [...delayOffsets.levels].map((level) => {
    const { maxOffset } = store.queueBounds(DELAY_TOPIC, level - 1)
    return [`scheduleMessageOffset_${level}`, `${delayOffsets.get(level)},${maxOffset}`]
  })
  return Object.fromEntries(rows)
}

/** What waits for a time of its own: how late, how many unseen, how many in all, and how fast. */
function timerRows({ timedDelivery }: RuntimeParts): Record<string, string> {
  const figures = timedDelivery.figures()
  return {
    timerReadBehind: String(Math.floor(figures.behindMs / 1_000)),
    timerOffsetBehind: String(figures.unseen),
    timerCongestNum: String(figures.pending),
    timerEnqueueTps: figures.enqueuedPerSecond.toFixed(1),
    timerDequeueTps: figures.deliveredPerSecond.toFixed(1),
  }
}

async function earliestStoreTime(store: Store, minOffset: number): Promise<number> {
  const record = await store.messageAt(minOffset)
  return record === undefined ? -1 : storeTimestampOf(record)
}

/** One loop serves everything, so nothing waits in a queue; the keys are there for those who read them. */
function queueRows(router: Router): Record<string, string> {
  const rows: Record<string, string> = {
    pageCacheLockTimeMills: '0',
    requestsInFlight: String(router.inFlight),
  }
  for (const name of ['send', 'pull', 'litePull', 'query', 'ack']) {
    rows[`${name}ThreadPoolQueueSize`] = '0'
    rows[`${name}ThreadPoolQueueCapacity`] = '0'
    rows[`${name}ThreadPoolQueueHeadWaitTimeMills`] = '0'
  }
  return rows
}

const GIB = 1024 ** 3

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`
}

/** As Apache writes it: `[ 1 days, 2 hours, 3 minutes, 4 seconds ]`. */
function runtimeText(runMs: number): string {
  const seconds = Math.floor(runMs / 1_000)
  const days = Math.floor(seconds / 86_400)
  const hours = Math.floor(seconds / 3_600) % 24
  const minutes = Math.floor(seconds / 60) % 60
  return `[ ${days} days, ${hours} hours, ${minutes} minutes, ${seconds % 60} seconds ]`
}
