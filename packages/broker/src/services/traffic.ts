/**
 * Counts messages in and out, and turns the counts into rates over the last 10, 60 and 600 seconds.
 * Owns the counters and a sample of them every ten seconds.
 */
import { type Clock, every, type Loop } from '@rockhopper/host'

const SAMPLE_MS = 10_000
/** Samples kept: ten minutes and the present one. */
const MAX_SAMPLES = 61
/** Topics and groups that are counted one by one; more are only part of the totals. */
const MAX_COUNTED_NAMES = 10_000

class Counter {
  total = 0
  #samples: number[] = [0]

  sample(): void {
    this.#samples.push(this.total)
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift()
  }

  /** Per second, over the last `count` samples. */
  rate(count: number): number {
    const last = this.#samples.length - 1
    const first = Math.max(0, last - count)
    if (first === last) return 0
    const difference = (this.#samples[last] ?? 0) - (this.#samples[first] ?? 0)
    return (difference * 1_000) / ((last - first) * SAMPLE_MS)
  }
}

export class TrafficCounters {
  readonly #clock: Clock
  readonly #put = new Counter()
  readonly #putBytes = new Counter()
  readonly #found = new Counter()
  readonly #missed = new Counter()
  readonly #transferred = new Counter()
  readonly #topicPuts = new Map<string, Counter>()
  readonly #groupGets = new Map<string, Counter>()
  #loop: Loop | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  start(onError: (error: unknown) => void): void {
    this.#loop = every(this.#clock, SAMPLE_MS, () => this.#sample(), onError)
  }

  async stop(): Promise<void> {
    await this.#loop?.stop()
  }

  get putTotal(): number {
    return this.#put.total
  }

  get putBytesTotal(): number {
    return this.#putBytes.total
  }

  get transferredTotal(): number {
    return this.#transferred.total
  }

  notePut(topic: string, messages: number, bytes: number): void {
    this.#put.total += messages
    this.#putBytes.total += bytes
    const counter = named(this.#topicPuts, topic)
    if (counter !== undefined) counter.total += messages
  }

  noteGet(group: string, messages: number): void {
    if (messages === 0) {
      this.#missed.total++
      return
    }
    this.#found.total++
    this.#transferred.total += messages
    const counter = named(this.#groupGets, group)
    if (counter !== undefined) counter.total += messages
  }

  /** Messages per second into a topic, over the last minute. */
  putsOfTopic(topic: string): number {
    return this.#topicPuts.get(topic)?.rate(6) ?? 0
  }

  /** Messages per second to a group, over the last minute. */
  getsOfGroup(group: string): number {
    return this.#groupGets.get(group)?.rate(6) ?? 0
  }

  /** Rates as the runtime information shows them: three numbers for 10, 60 and 600 seconds. */
  rates(): Record<string, string> {
    const get = [this.#found, this.#missed]
    return {
      putTps: shown([this.#put]),
      getFoundTps: shown([this.#found]),
      getMissTps: shown([this.#missed]),
      getTotalTps: shown(get),
      getTransferredTps: shown([this.#transferred]),
      getTransferedTps: shown([this.#transferred]),
    }
  }

  #sample(): void {
    const all = [this.#put, this.#putBytes, this.#found, this.#missed, this.#transferred]
    for (const counter of [...all, ...this.#topicPuts.values(), ...this.#groupGets.values()]) {
      counter.sample()
    }
  }
}

function shown(counters: readonly Counter[]): string {
  return [1, 6, 60]
    .map((samples) => counters.reduce((sum, counter) => sum + counter.rate(samples), 0))
    .join(' ')
}

function named(counters: Map<string, Counter>, name: string): Counter | undefined {
  const known = counters.get(name)
  if (known !== undefined || counters.size >= MAX_COUNTED_NAMES) return known
  const counter = new Counter()
  counters.set(name, counter)
  return counter
}
