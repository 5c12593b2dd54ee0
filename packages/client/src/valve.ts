/**
 * Lets those pass who come while it is open, and the others when it is opened again. Owns who waits.
 */
export class Valve {
  #isClosed = false
  #waiting: (() => void)[] = []

  close(): void {
    this.#isClosed = true
  }

  reopen(): void {
    this.#isClosed = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const go of waiting) go()
  }

  /** Resolves when it is open, or when the signal aborts. */
  pass(signal: AbortSignal): Promise<void> {
    if (!this.#isClosed || signal.aborted) return Promise.resolve()
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
