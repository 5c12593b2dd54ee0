/**
 * Messages that wait for a time of their own, next to be looked at first. Owns them: 24 bytes each,
 * in arrays that grow by doubling, as a heap; and how many of them each topic has.
 */
import assert from 'node:assert/strict'

export interface PendingTimer {
  /** Slot at whose end something is to be done with the message. */
  readonly wakeMs: number
  readonly logOffset: number
  readonly sizeBytes: number
  readonly isRoll: boolean
  readonly isRecall: boolean
  readonly realTopic: string
}

/** What a file keeps of the table. Numbers are in the order of the machine. */
export interface PendingTimersImage {
  readonly topics: readonly string[]
  readonly wakes: Float64Array
  readonly logOffsets: Float64Array
  readonly sizes: Uint32Array
  readonly topicIds: Uint32Array
}

const LEAST_CAPACITY = 1_024
/** Records are shorter than this; the bits above say what the message is for. */
const SIZE_BITS = 0x3fff_ffff
const ROLL_BIT = 0x4000_0000
const RECALL_BIT = 0x8000_0000

export class PendingTimers {
  #count = 0
  #wakes = new Float64Array(LEAST_CAPACITY)
  #logOffsets = new Float64Array(LEAST_CAPACITY)
  #sizes = new Uint32Array(LEAST_CAPACITY)
  #topicIds = new Uint32Array(LEAST_CAPACITY)
  #topics: string[] = []
  readonly #idOf = new Map<string, number>()
  #perTopic: number[] = []

  get count(): number {
    return this.#count
  }

  /** The slot of the first one; infinite when none waits. */
  get firstWakeMs(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : (this.#wakes[0] ?? 0)
  }

  /** How many messages of each topic wait, but for those that call others off. */
  countsByTopic(): Map<string, number> {
    const counts = this.#topics.map((topic, id): [string, number] => [
      topic,
      this.#perTopic[id] ?? 0,
    ])
    return new Map(counts.filter(([, count]) => count !== 0))
  }

  add(timer: PendingTimer): void {
    if (this.#count === this.#wakes.length) this.#grow()
    const at = this.#count++
    this.#wakes[at] = timer.wakeMs
    this.#logOffsets[at] = timer.logOffset
    const bits = (timer.isRoll ? ROLL_BIT : 0) + (timer.isRecall ? RECALL_BIT : 0)
    this.#sizes[at] = timer.sizeBytes + bits
    this.#topicIds[at] = this.#idOfTopic(timer.realTopic)
    this.#countTopic(timer, 1)
    this.#rise(at)
  }

  /**
   * Takes the first one out: that of the earliest slot, and within a slot those that call others off
   * before those they may call off, and then as they were stored.
   */
  takeFirst(): PendingTimer {
    assert(this.#count > 0, 'no message waits')
    const first = this.#at(0)
    this.#count--
    this.#move(this.#count, 0)
    if (this.#count > 0) this.#sink(0)
    this.#countTopic(first, -1)
    return first
  }

  /**
   * All of them in the order in which they are taken out; the table must not change meanwhile. Who
   * stops after the first few pays for those only.
   */
  *earliest(): Generator<PendingTimer> {
    const next = this.#count === 0 ? [] : [0]
    for (let at = next.shift(); at !== undefined; at = next.shift()) {
      yield this.#at(at)
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#count) next.splice(this.#rankIn(next, child), 0, child)
      }
    }
  }

  /** All of them, in no order. */
  *all(): Generator<PendingTimer> {
    for (let at = 0; at < this.#count; at++) yield this.#at(at)
  }

  clear(): void {
    this.#count = 0
    this.#topics = []
    this.#idOf.clear()
    this.#perTopic = []
  }

  /** A copy of everything, for a file. */
  image(): PendingTimersImage {
    return {
      topics: [...this.#topics],
      wakes: this.#wakes.slice(0, this.#count),
      logOffsets: this.#logOffsets.slice(0, this.#count),
      sizes: this.#sizes.slice(0, this.#count),
      topicIds: this.#topicIds.slice(0, this.#count),
    }
  }

  /** Takes over what `image` gave in an earlier life, but not the messages that end at `gone`. */
  restore(image: PendingTimersImage, gone: ReadonlySet<number>): void {
    for (const [i, wakeMs] of image.wakes.entries()) {
      const size = image.sizes[i] ?? 0
      const logOffset = image.logOffsets[i] ?? 0
      const sizeBytes = size & SIZE_BITS
      if (gone.has(logOffset + sizeBytes)) continue
      const [isRoll, isRecall] = [(size & ROLL_BIT) !== 0, (size & RECALL_BIT) !== 0]
      const realTopic = image.topics[image.topicIds[i] ?? 0] ?? ''
      this.add({ wakeMs, logOffset, sizeBytes, isRoll, isRecall, realTopic })
    }
  }

  #at(at: number): PendingTimer {
    const size = this.#sizes[at] ?? 0
    return {
      wakeMs: this.#wakes[at] ?? 0,
      logOffset: this.#logOffsets[at] ?? 0,
      sizeBytes: size & SIZE_BITS,
      isRoll: (size & ROLL_BIT) !== 0,
      isRecall: (size & RECALL_BIT) !== 0,
      realTopic: this.#topics[this.#topicIds[at] ?? 0] ?? '',
    }
  }

  /** How many places of a sorted list come before this one. */
  #rankIn(places: readonly number[], place: number): number {
    let [low, high] = [0, places.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#isBefore(places[middle] ?? 0, place)) low = middle + 1
      else high = middle
    }
    return low
  }

  #countTopic({ isRecall, realTopic }: PendingTimer, change: number): void {
    if (isRecall) return
    const id = this.#idOfTopic(realTopic)
    this.#perTopic[id] = (this.#perTopic[id] ?? 0) + change
  }

  #idOfTopic(topic: string): number {
    const known = this.#idOf.get(topic)
    if (known !== undefined) return known
    const id = this.#topics.push(topic) - 1
    this.#idOf.set(topic, id)
    this.#perTopic.push(0)
    return id
  }

  #isBefore(one: number, other: number): boolean {
    const apart = (this.#wakes[one] ?? 0) - (this.#wakes[other] ?? 0)
    if (apart !== 0) return apart < 0
    const [oneSize, otherSize] = [this.#sizes[one] ?? 0, this.#sizes[other] ?? 0]
    const isRecall = oneSize >= RECALL_BIT
    if (isRecall !== otherSize >= RECALL_BIT) return isRecall
    return (this.#logOffsets[one] ?? 0) < (this.#logOffsets[other] ?? 0)
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1
      if (!this.#isBefore(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      const left = 2 * at + 1
      if (left >= this.#count) return
      const right = left + 1
      const child = right < this.#count && this.#isBefore(right, left) ? right : left
      if (!this.#isBefore(child, at)) return
      this.#swap(at, child)
      at = child
    }
  }

  #swap(one: number, other: number): void {
    swapIn(this.#wakes, one, other)
    swapIn(this.#logOffsets, one, other)
    swapIn(this.#sizes, one, other)
    swapIn(this.#topicIds, one, other)
  }

  #move(from: number, to: number): void {
    this.#wakes[to] = this.#wakes[from] ?? 0
    this.#logOffsets[to] = this.#logOffsets[from] ?? 0
    this.#sizes[to] = this.#sizes[from] ?? 0
    this.#topicIds[to] = this.#topicIds[from] ?? 0
  }

  #grow(): void {
    const capacity = 2 * this.#count
    const [wakes, logOffsets] = [new Float64Array(capacity), new Float64Array(capacity)]
    const [sizes, topicIds] = [new Uint32Array(capacity), new Uint32Array(capacity)]
    wakes.set(this.#wakes)
    logOffsets.set(this.#logOffsets)
    sizes.set(this.#sizes)
    topicIds.set(this.#topicIds)
    this.#wakes = wakes
    this.#logOffsets = logOffsets
    this.#sizes = sizes
    this.#topicIds = topicIds
  }
}

function swapIn(column: Float64Array | Uint32Array, one: number, other: number): void {
  const value = column[one] ?? 0
  column[one] = column[other] ?? 0
  column[other] = value
}
