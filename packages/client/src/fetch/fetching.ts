/**
 * Gives messages to the application when it asks: in batches, or one by one. Messages count as
 * consumed when the application asks for the next ones. Source: Apache class
 * DefaultLitePullConsumerImpl; `client.md` section 8. Owns what was given and is not consumed yet.
 */
import type { Clock } from '@rockhopper/host'
import type { HandlerEnd } from '@rockhopper/protocol'
import type { ConsumeWatch } from '../hooks/consume-watch.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { Fetched, ReadyMessages } from './ready-messages.ts'

export class Fetching {
  readonly #clock: Clock
  readonly #ready: ReadyMessages
  readonly #watch: Pick<ConsumeWatch, 'given'>
  /** Given by polls, which the next poll declares consumed. */
  readonly #polled = new Set<Fetched>()
  /** Given by iterators, each of which declares its own. */
  readonly #iterated = new Set<Fetched>()
  /** What is to be called when it is known what became of messages that were given. */
  readonly #ends = new WeakMap<Fetched, (end: HandlerEnd) => void>()
  readonly #closing = new AbortController()

  constructor(clock: Clock, ready: ReadyMessages, watch: Pick<ConsumeWatch, 'given'>) {
    this.#clock = clock
    this.#ready = ready
    this.#watch = watch
  }

  /**
   * Up to `max` messages of one queue, waiting for them at most `timeoutMs`; none when that time is
   * over, or when `close` is called. What earlier polls gave is consumed.
   */
  async poll(max: number, timeoutMs: number): Promise<readonly ReceivedMessage[]> {
    this.#finish(this.#polled)
    const fetched = await this.#next(max, this.#clock.monotonicMs() + timeoutMs)
    if (fetched === undefined) return []
    this.#lend(fetched, this.#polled)
    return fetched.entries.map(({ message }) => message)
  }

  /**
   * Messages one by one, until `close` is called. A message is consumed when the next one is asked
   * for; when the loop is left, its last message is the first of the next loop or poll.
   */
  async *messages(): AsyncGenerator<ReceivedMessage, void, void> {
    let last: Fetched | undefined
    try {
      for (;;) {
        last = await this.#next(1, Number.POSITIVE_INFINITY)
        const message = last?.entries[0]?.message
        if (last === undefined || message === undefined) return
        this.#lend(last, this.#iterated)
        yield message
        if (this.#iterated.delete(last)) this.#consumed(last)
        last = undefined
      }
    } finally {
      if (last !== undefined && this.#iterated.delete(last)) {
        this.#ends.get(last)?.('failed')
        last.reading.giveBack()
        this.#ready.putBack(last)
      }
    }
  }

  /** All that was given is consumed, in the word of the application. */
  finishAll(): void {
    this.#finish(this.#polled)
    this.#finish(this.#iterated)
  }

  /**
   * Gives nothing more. What polls gave is not waited for, for who polls may never ask again; who
   * iterates does.
   */
  close(): void {
    this.#closing.abort()
    for (const fetched of this.#polled) {
      this.#ends.get(fetched)?.('failed')
      fetched.reading.giveBack()
    }
    this.#polled.clear()
  }

  async #next(max: number, deadlineMs: number): Promise<Fetched | undefined> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const fetched = this.#ready.take(max)
      if (fetched !== undefined) return fetched
      const leftMs = deadlineMs - this.#clock.monotonicMs()
      if (leftMs <= 0) return undefined
      await this.#ready.arrival(signal, leftMs)
    }
    return undefined
  }

  #lend(fetched: Fetched, to: Set<Fetched>): void {
    fetched.reading.lend()
    to.add(fetched)
    const { reading, entries } = fetched
    const end = this.#watch.given(entries, reading.polled.owned.queue)
    if (end !== undefined) this.#ends.set(fetched, end)
  }

  #finish(given: Set<Fetched>): void {
    for (const fetched of given) this.#consumed(fetched)
    given.clear()
  }

  #consumed(fetched: Fetched): void {
    const { reading, entries } = fetched
    this.#ends.get(fetched)?.('success')
    reading.polled.owned.lastDoneAtMs = this.#clock.nowMs()
    reading.finish(entries)
  }
}
