/**
 * How fast a consumer is with each topic, over the last minute and hour, as operators see it. Source:
 * Apache class ConsumerStatsManager; `client.md` section 13.1. Owns the counts.
 */
import type { Clock } from '@rockhopper/host'
import type { ConsumeStatus } from '@rockhopper/protocol'
import { SlidingSum } from './sliding-sum.ts'

const SECONDS = 60
const MINUTE_MS = 60_000

interface Counts {
  readonly done: SlidingSum
  readonly failed: SlidingSum
  readonly failedInHour: SlidingSum
  readonly calls: SlidingSum
  readonly callMs: SlidingSum
  readonly pulls: SlidingSum
  readonly pulled: SlidingSum
  readonly pullMs: SlidingSum
}

export class ConsumeStatistics {
  readonly #clock: Clock
  readonly #startMs: number
  readonly #byTopic = new Map<string, Counts>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#startMs = clock.monotonicMs()
  }

  /** A call of a handler is over, at a monotonic time. */
  handled(topic: string, done: number, failed: number, tookMs: number, nowMs: number): void {
    const counts = this.#countsOf(topic)
    counts.done.add(nowMs, done)
    counts.calls.add(nowMs, 1)
    counts.callMs.add(nowMs, tookMs)
    if (failed === 0) return
    counts.failed.add(nowMs, failed)
    counts.failedInHour.add(nowMs, failed)
  }

  /** A pull has brought messages. */
  pulled(topic: string, count: number, tookMs: number): void {
    const counts = this.#countsOf(topic)
    const nowMs = this.#clock.monotonicMs()
    counts.pulls.add(nowMs, 1)
    counts.pulled.add(nowMs, count)
    counts.pullMs.add(nowMs, tookMs)
  }

  /** As operators see it. */
  of(topic: string): ConsumeStatus {
    const counts = this.#countsOf(topic)
    const nowMs = this.#clock.monotonicMs()
    const seconds = Math.max(1, Math.min(SECONDS, (nowMs - this.#startMs) / 1000))
    const rate = (sum: SlidingSum): number => sum.total(nowMs) / seconds
    const mean = (sum: SlidingSum, calls: SlidingSum): number =>
      sum.total(nowMs) / Math.max(1, calls.total(nowMs))
    return {
      pullRT: mean(counts.pullMs, counts.pulls),
      pullTPS: rate(counts.pulled),
      consumeRT: mean(counts.callMs, counts.calls),
      consumeOKTPS: rate(counts.done),
      consumeFailedTPS: rate(counts.failed),
      consumeFailedMsgs: counts.failedInHour.total(nowMs),
    }
  }

  #countsOf(topic: string): Counts {
    let counts = this.#byTopic.get(topic)
    if (counts === undefined) {
      counts = newCounts()
      this.#byTopic.set(topic, counts)
    }
    return counts
  }
}

function newCounts(): Counts {
  const minute = (): SlidingSum => new SlidingSum(MINUTE_MS)
  return {
    done: minute(),
    failed: minute(),
    failedInHour: new SlidingSum(60 * MINUTE_MS),
    calls: minute(),
    callMs: minute(),
    pulls: minute(),
    pulled: minute(),
    pullMs: minute(),
  }
}
