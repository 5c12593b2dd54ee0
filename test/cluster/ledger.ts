/**
 * The books of a test: which numbered messages were acknowledged, where they were said to be, and
 * which came out again. Owns all of it; producers and consumers write into it, the audit reads it.
 */
import type { Clock } from '@rockhopper/host'
import { parseOffsetMessageId } from '@rockhopper/protocol'
import { Watermark } from '@rockhopper/store'
import { numberOf } from './numbered.ts'

/** What an acknowledgement says. */
export interface Acknowledgement {
  readonly queue: { readonly queueId: number }
  readonly queueOffset: number
  readonly offsetMsgId: string
}

/** A place in a queue, and what is there. */
export interface Entry {
  readonly queueId: number
  readonly queueOffset: number
  readonly logOffset: number
  readonly number: number
}

export class Ledger {
  /** How many messages were acknowledged. */
  readonly acknowledged: Watermark
  /** How many of them were consumed, too. */
  readonly delivered: Watermark
  /** Messages that were consumed with other bytes than they were sent with. */
  wrong = 0
  /** Acknowledgements that named a place which another message had been given before. */
  repeats = 0
  /** Messages that came to the consumer again. */
  redelivered = 0
  readonly #entries = new Map<number, Entry>()
  /** Those of `#entries` whose message was not consumed so far, by number. */
  readonly #undelivered = new Map<number, Entry>()
  readonly #consumed = new Set<number>()

  constructor(clock: Clock) {
    this.acknowledged = new Watermark(clock, 0)
    this.delivered = new Watermark(clock, 0)
  }

  noteAcknowledged(number: number, { offsetMsgId, queue, queueOffset }: Acknowledgement): void {
    const { queueId } = queue
    const logOffset = parseOffsetMessageId(offsetMsgId)?.logOffset ?? -1
    const entry = { queueId, queueOffset, logOffset, number }
    const place = placeOf(entry)
    if (this.#entries.has(place)) this.repeats++
    else this.#entries.set(place, entry)
    this.#undelivered.set(number, entry)
    this.acknowledged.advance(this.acknowledged.value + 1)
    if (this.#consumed.has(number)) this.#deliver(number)
  }

  /** Takes what a consumer got; `key` is the number as the message's properties carry it. */
  noteConsumed(body: Buffer, key: string | undefined): void {
    const number = numberOf(body)
    if (number === undefined || key !== String(number)) {
      this.wrong++
    } else if (this.#consumed.has(number)) {
      this.redelivered++
    } else {
      this.#consumed.add(number)
      if (this.#undelivered.has(number)) this.#deliver(number)
    }
  }

  /** Whether this very message was acknowledged at this very place. */
  knows(entry: Entry): boolean {
    const known = this.#entries.get(placeOf(entry))
    return known?.number === entry.number && known.logOffset === entry.logOffset
  }

  /** Acknowledged messages that were not consumed so far. */
  get undelivered(): readonly Entry[] {
    return [...this.#undelivered.values()]
  }

  #deliver(number: number): void {
    this.#undelivered.delete(number)
    this.delivered.advance(this.delivered.value + 1)
  }
}

/** One number for each place, as long as there are fewer than 2^21 queues. */
function placeOf({ queueId, queueOffset }: Entry): number {
  return queueOffset * 2 ** 21 + queueId
}
