/**
 * Gathers what is written down of messages, and sends it to the trace topic: apart from what is traced,
 * which neither waits for it nor fails with it. Source: Apache class AsyncTraceDispatcher; `client.md`
 * section 14. Owns the records that wait, and the count of those that were lost.
 */
import type { Clock, Logger, Timer } from '@rockhopper/host'
import { encodeTrace, type TraceRecord } from '@rockhopper/protocol'
import { within } from '../give-up.ts'
import type { Message } from '../produce/message.ts'

/** Records that wait; further ones are lost. (Apache: 2048 calls, of one message or several.) */
export const MAX_WAITING_TRACES = 20_480

/** Records at which those that wait are sent (Apache: traceMsgBatchNum). */
const BATCH_RECORDS = 10

/** Longest wait of a record for others (Apache: the same). */
const HOLD_MS = 5_000

/** Messages of traces on their way; until one is answered others gather (Apache: 4 threads). */
const MAX_IN_FLIGHT = 4

/** Characters of a message of traces (Apache: maxMessageSize of its producer). */
const MAX_BODY_CHARS = 128_000

/** Characters of the keys of such a message: together with all else they fit into its properties. */
const MAX_KEY_CHARS = 24_000

/** How long `close` waits for traces to be sent. */
const CLOSE_TIMEOUT_MS = 3_000

export interface TraceLogParts {
  readonly clock: Clock
  readonly logger: Logger
  readonly traceTopic: string
  /** Sends a message of traces. */
  readonly send: (message: Message) => Promise<unknown>
}

interface Waiting {
  /** Topic of the message that the record is about. */
  readonly topic: string
  readonly record: TraceRecord
}

export class TraceLog {
  readonly #parts: TraceLogParts
  #waiting: Waiting[] = []
  readonly #inFlight = new Set<Promise<void>>()
  #ready: Message[] = []
  #timer: Timer | undefined
  #lost = 0
  #isTold = false

  constructor(parts: TraceLogParts) {
    this.#parts = parts
  }

  /** Records that did not reach the trace topic. */
  get lost(): number {
    return this.#lost
  }

  /** Notes what became of messages of a topic. */
  add(topic: string, records: readonly TraceRecord[]): void {
    for (const record of records) {
      if (this.#waiting.length < MAX_WAITING_TRACES) this.#waiting.push({ topic, record })
      else this.#lose(1, 'more came than could be sent')
    }
    if (this.#waiting.length >= BATCH_RECORDS) this.#flush()
    else if (this.#waiting.length > 0) {
      this.#timer ??= this.#parts.clock.after(HOLD_MS, () => this.#flush())
    }
  }

  /** Sends what waits, and resolves when it is answered, after 3 s at the latest. */
  async close(): Promise<void> {
    const over = (async () => {
      this.#flush()
      while (this.#inFlight.size > 0) {
        await Promise.all(this.#inFlight)
        this.#flush()
      }
    })()
    await within(this.#parts.clock, over, CLOSE_TIMEOUT_MS, () => new Error('late')).catch(() => {
      const ready = this.#ready.reduce((sum, message) => sum + countOf(message), 0)
      this.#lose(this.#waiting.length + ready, 'the client was closed')
      this.#waiting = []
      this.#ready = []
    })
    this.#timer?.cancel()
  }

  #flush(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    while (this.#inFlight.size < MAX_IN_FLIGHT) {
      if (this.#ready.length === 0) this.#pack()
      const message = this.#ready.shift()
      if (message === undefined) return
      this.#launch(message)
    }
  }

  /** Makes messages of all that waits: of one topic's records, in the order they came. */
  #pack(): void {
    const byTopic = new Map<string, TraceRecord[]>()
    for (const { topic, record } of this.#waiting) {
      const records = byTopic.get(topic)
      if (records === undefined) byTopic.set(topic, [record])
      else records.push(record)
    }
    this.#waiting = []
    for (const records of byTopic.values()) {
      this.#ready.push(...traceMessages(this.#parts.traceTopic, records))
    }
  }

  #launch(message: Message): void {
    const sent = this.#parts
      .send(message)
      .then(
        () => {
          this.#isTold = false
        },
        (error: unknown) => this.#lose(countOf(message), 'they could not be sent', error),
      )
      .finally(() => {
        this.#inFlight.delete(sent)
        // What waits with a timer can wait on.
        if (this.#timer === undefined || this.#ready.length > 0) this.#flush()
      })
    this.#inFlight.add(sent)
  }

  #lose(count: number, why: string, error?: unknown): void {
    this.#lost += count
    if (this.#isTold || count === 0) return
    this.#isTold = true
    const { logger, traceTopic } = this.#parts
    logger.warn('Traces of messages are lost; the messages themselves are not concerned.', {
      ...{ traceTopic, why, lost: this.#lost },
      ...(error === undefined ? {} : { error }),
    })
  }
}

/** Records as messages to the trace topic, which are found by the keys of what they are about. */
function traceMessages(topic: string, records: readonly TraceRecord[]): Message[] {
  const messages: Message[] = []
  let body = ''
  let keys = new Set<string>()
  let keyChars = 0
  const cut = (): void => {
    if (body === '') return
    messages.push({ topic, body, ...(keys.size === 0 ? {} : { keys: [...keys] }) })
    body = ''
    keys = new Set()
    keyChars = 0
  }
  for (const record of records) {
    const text = encodeTrace(record)
    const words = keysOf(record)
    const wordChars = words.reduce((sum, word) => sum + word.length + 1, 0)
    const isFull = body.length + text.length > MAX_BODY_CHARS
    if (isFull || keyChars + wordChars > MAX_KEY_CHARS) cut()
    body += text
    for (const word of words) keys.add(word)
    keyChars += wordChars
  }
  cut()
  return messages
}

function keysOf(record: TraceRecord): string[] {
  const words = 'keys' in record ? record.keys?.split(' ') : undefined
  return [record.msgId, ...(words ?? [])].filter((word) => word !== '')
}

function countOf({ body }: Message): number {
  return String(body).split('\x02').length - 1
}
