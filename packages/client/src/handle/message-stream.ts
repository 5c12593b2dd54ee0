/**
 * The messages of a topic for `for await`: a loop takes them one at a time, and by asking for the
 * next says that the last one is done. Owns the loops that wait, and the message in each.
 */

import type { ReceivedMessage } from '../pull/received-message.ts'
import type { ConsumeContext, MessageHandler } from './handlers.ts'

/** A message on its way through the body of a loop. */
interface Delivery {
  readonly message: ReceivedMessage
  readonly context: ConsumeContext
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

/** Gives the messages of one topic to the loops over it, as they ask. */
export class StreamSource {
  readonly #waiting: ((delivery: Delivery | undefined) => void)[] = []
  readonly #onWanted: () => void
  #isClosed = false

  /** `onWanted`: a loop waits for a message. */
  constructor(onWanted: () => void) {
    this.#onWanted = onWanted
  }

  /** Whether a loop waits for a message. */
  get isWanted(): boolean {
    return this.#waiting.length > 0
  }

  /** Hands a message to the loop that waits longest; to be called only when one does. */
  readonly handle: MessageHandler = (message, context) =>
    new Promise((done, failed) => {
      const take = this.#waiting.shift()
      if (take === undefined) failed(new Error('no loop waits for a message'))
      else take({ message, context, done, failed })
    })

  /** The next message; undefined when there are no more, or when `signal` aborts. */
  next(signal: AbortSignal): Promise<Delivery | undefined> {
    if (this.#isClosed || signal.aborted) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const stop = (): void => take(undefined)
      const take = (delivery: Delivery | undefined): void => {
        signal.removeEventListener('abort', stop)
        const at = this.#waiting.indexOf(take)
        if (at >= 0) this.#waiting.splice(at, 1)
        resolve(delivery)
      }
      signal.addEventListener('abort', stop, { once: true })
      this.#waiting.push(take)
      this.#onWanted()
    })
  }

  /** Ends all loops as soon as they ask for the next message. */
  close(): void {
    this.#isClosed = true
    for (const take of [...this.#waiting]) take(undefined)
  }
}

/**
 * Messages of a topic, one at a time. A message is done when the next one is asked for, or when
 * `ack` is called. Leaving the loop (`break`, `return`, an error) ends the stream, and the message
 * that was not done comes again. While no loop runs, messages wait; of those that wait no more are
 * held than the options allow.
 */
export class MessageStream implements AsyncIterableIterator<ReceivedMessage> {
  readonly #source: StreamSource
  readonly #end = new AbortController()
  #current: Delivery | undefined

  constructor(source: StreamSource) {
    this.#source = source
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** What may be said of the message in hand; undefined between messages. */
  get context(): ConsumeContext | undefined {
    return this.#current?.context
  }

  /** The message in hand is done now: the loop may be left without its coming again. */
  ack(): void {
    this.#current?.done()
    this.#current = undefined
  }

  /** The message in hand failed, and comes again as if a handler had thrown `error`. */
  retryLater(error: unknown = new Error('the loop asked for it again'), delayLevel = 0): void {
    const current = this.#current
    if (current === undefined) return
    current.context.delayLevelWhenNextConsume = delayLevel
    current.failed(error)
    this.#current = undefined
  }

  async next(): Promise<IteratorResult<ReceivedMessage, undefined>> {
    this.ack()
    const delivery = await this.#source.next(this.#end.signal)
    if (delivery === undefined) return { done: true, value: undefined }
    this.#current = delivery
    return { done: false, value: delivery.message }
  }

  return(): Promise<IteratorResult<ReceivedMessage, undefined>> {
    this.#end.abort()
    this.retryLater(new Error('the loop was left before the message was done'))
    return Promise.resolve({ done: true, value: undefined })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}
