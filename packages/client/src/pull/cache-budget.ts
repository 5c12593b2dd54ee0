/**
 * How much of all queues together is held here. When it is too much, only queues of which nothing is
 * held are read, so that none starves. Owns the sum, and those who wait for it to fall.
 */
export class CacheBudget {
  readonly #maxBytes: number
  #bytes = 0
  #waiting: (() => void)[] = []

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of bodies held. */
  get bytes(): number {
    return this.#bytes
  }

  take(bytes: number): void {
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
    if (this.#waiting.length === 0 || this.#isSpent) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
  }

  /** Resolves when there is room, or when the signal aborts. */
  async room(signal: AbortSignal): Promise<void> {
    while (this.#isSpent && !signal.aborted) await this.#change(signal)
  }

  get #isSpent(): boolean {
    return this.#bytes >= this.#maxBytes
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const go = (): void => {
        signal.removeEventListener('abort', go)
        resolve()
      }
      signal.addEventListener('abort', go, { once: true })
      this.#waiting.push(go)
    })
  }
}
