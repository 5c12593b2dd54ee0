/**
 * The messages of one queue between the pull and the end of their handlers. Handlers finish in any
 * order; the offset that may be committed is that of the first message not finished, so that
 * nothing unfinished is ever skipped. Source: Apache class ProcessQueue; `client.md` section 6.3.
 *
 * It owns the entries, the offset to pull next and the one to commit. Both only grow.
 */

/** A message on its way through the consumer. */
export interface WindowEntry<M> {
  readonly message: M
  readonly queueOffset: number
  readonly sizeBytes: number
  /** Written by the window only. */
  finished: boolean
}

/** When a window is full, its queue is not pulled. All limits are for one queue. */
export interface WindowLimits {
  /** Messages pulled and not finished. */
  readonly maxMessages: number
  /** Bytes of their bodies. */
  readonly maxBytes: number
  /** Distance from the first unfinished offset to the last pulled one. */
  readonly maxSpan: number
}

/** Finished entries at the head of the array are dropped in steps of this many. */
const COMPACT_FROM = 1024

export class Window<M> {
  #limits: WindowLimits
  #entries: WindowEntry<M>[] = []
  /** Index of the first unfinished entry. */
  #head = 0
  #nextOffset: number
  #count = 0
  #bytes = 0
  #wakePuller: (() => void) | undefined

  constructor(startOffset: number, limits: WindowLimits) {
    this.#nextOffset = startOffset
    this.#limits = limits
  }

  /** Offset that the next pull asks for. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Everything below this offset is finished, or was not for this consumer. */
  get commitOffset(): number {
    return this.#entries[this.#head]?.queueOffset ?? this.#nextOffset
  }

  /** Messages that may be held; a pull that brings more is taken all the same. */
  get maxMessages(): number {
    return this.#limits.maxMessages
  }

  /** Messages pulled and not finished. */
  get count(): number {
    return this.#count
  }

  /** Bytes of the messages pulled and not finished. */
  get sizeBytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    const { maxMessages, maxBytes, maxSpan } = this.#limits
    if (this.#count >= maxMessages || this.#bytes >= maxBytes) return true
    return this.#count > 0 && this.#nextOffset - 1 - this.commitOffset > maxSpan
  }

  /**
   * Takes the result of a pull: messages in the order of their offsets, and where to go on. Offsets
   * in between that are missing were not for this consumer. Gives back the entries that are new.
   */
  add(
    messages: readonly M[],
    nextOffset: number,
    measure: (message: M) => { queueOffset: number; sizeBytes: number },
  ): WindowEntry<M>[] {
    const fresh: WindowEntry<M>[] = []
    for (const message of messages) {
      const { queueOffset, sizeBytes } = measure(message)
      if (queueOffset < this.#nextOffset) continue
      const entry = { message, queueOffset, sizeBytes, finished: false }
      fresh.push(entry)
      this.#entries.push(entry)
      this.#nextOffset = queueOffset + 1
      this.#count++
      this.#bytes += sizeBytes
    }
    this.#nextOffset = Math.max(this.#nextOffset, nextOffset)
    return fresh
  }

  /** Marks a message as dealt with. */
  finish(entry: WindowEntry<M>): void {
    if (entry.finished) return
    entry.finished = true
    this.#count--
    this.#bytes -= entry.sizeBytes
    while (this.#entries[this.#head]?.finished === true) this.#head++
    this.#compact()
    if (this.#wakePuller !== undefined && !this.isFull) this.wake()
  }

  /** Has other limits from now on. */
  limit(limits: WindowLimits): void {
    this.#limits = limits
    if (!this.isFull) this.wake()
  }

  /** Resolves when the window is not full, or when `wake` is called. For the one puller only. */
  room(): Promise<void> {
    if (!this.isFull) return Promise.resolve()
    return new Promise((resolve) => {
      this.#wakePuller = resolve
    })
  }

  /** Wakes the puller, full or not: it is to stop. */
  wake(): void {
    this.#wakePuller?.()
    this.#wakePuller = undefined
  }

  #compact(): void {
    if (this.#head < COMPACT_FROM || this.#head * 2 < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#head)
    this.#head = 0
  }
}
