/**
 * The books of a storm: which numbered messages were sent, where they were acknowledged, what
 * readers found there, and what is wrong with that. Owns all of it, in rows of plain numbers, since
 * there are millions of them; senders and readers write into it.
 */
import { crc32 } from 'node:zlib'
import type { Clock, Random } from '@rockhopper/host'
import type { StoredRecord } from '@rockhopper/protocol'
import { Watermark } from '@rockhopper/store'
import { recognize } from './numbered-message.ts'
import { Row } from './row.ts'

/** What is wrong; all of it should be 0. */
export interface Flaws {
  /** Messages that were acknowledged, or delivered, and are not where they were. */
  lost: number
  /** Messages with another byte, property, key or place than they were sent or acknowledged with. */
  wrong: number
  /** Places in a queue without a message, or with one that says it is elsewhere. */
  holes: number
  /** Places that were acknowledged for two messages. */
  repeats: number
  /** Messages that are there and were never sent, or more often than they were sent. */
  phantoms: number
  /** Messages that were acknowledged and removed for their age before anybody read them. */
  unread: number
  /** Messages that are there, and are not found by their key. */
  unfound: number
}

/** Nothing wrong. */
export const flawless: Flaws = {
  lost: 0,
  wrong: 0,
  holes: 0,
  repeats: 0,
  phantoms: 0,
  unread: 0,
  unfound: 0,
}

/** What an acknowledgement says of one message. */
export interface Acknowledgement {
  readonly queueId: number
  readonly queueOffset: number
  readonly logOffset: number
  readonly uniqueKey: string
}

/** Bits of a place. */
const ACKNOWLEDGED = 1
const READ = 2
const COUNTED = 4
const CONDEMNED = 8

const MOST_EXAMPLES = 20

/** One queue, by queue offset. */
interface QueueBook {
  readonly numbers: Row
  readonly logOffsets: Row
  readonly keySums: Row
  readonly bits: Row
}

export class Books {
  readonly topic: string
  /** How many messages were acknowledged. */
  readonly acknowledged: Watermark
  readonly flaws: Flaws = { ...flawless }
  /** The first things that were wrong, in words. */
  readonly examples: string[] = []
  readonly #queues: readonly QueueBook[]
  /** How often each number was sent, and how often it was found by the last census. */
  readonly #attempts = new Row(Uint8Array)
  readonly #copies = new Row(Uint8Array)
  #alarm: { readonly point: number; readonly ring: () => void } | undefined

  constructor(clock: Clock, topic: string, queueCount: number) {
    this.topic = topic
    this.acknowledged = new Watermark(clock, 0)
    this.#queues = Array.from({ length: queueCount }, () => ({
      numbers: new Row(Uint32Array),
      logOffsets: new Row(Float64Array),
      keySums: new Row(Uint32Array),
      bits: new Row(Uint8Array),
    }))
  }

  /** Calls `ring` as soon as so many are acknowledged, before whoever waits for that goes on. */
  alarmAt(point: number, ring: () => void): void {
    this.#alarm = { point, ring }
  }

  /** What was to be called is not called any more. */
  cancelAlarm(): void {
    this.#alarm = undefined
  }

  /** Before each attempt to send a message. */
  noteAttempt(number: number): void {
    this.#attempts.set(number, Math.min(255, this.#attempts.get(number) + 1))
  }

  noteAcknowledged(number: number, acknowledgement: Acknowledgement): void {
    const { logOffset, queueId, queueOffset, uniqueKey } = acknowledgement
    const book = this.#book(queueId)
    const bits = book.bits.get(queueOffset)
    const known = book.numbers.get(queueOffset)
    if ((bits & ACKNOWLEDGED) !== 0) {
      this.#note(
        'repeats',
        `${nameOf(queueId, queueOffset)} was acknowledged for ${known} and for ${number}`,
      )
    } else if ((bits & READ) !== 0) {
      if (known !== number) {
        const place = nameOf(queueId, queueOffset)
        this.#condemn(book, queueOffset, 'lost', `${place} had ${known}, not ${number}`)
      } else if (
        book.logOffsets.get(queueOffset) !== logOffset ||
        book.keySums.get(queueOffset) !== crc32(uniqueKey)
      ) {
        const place = nameOf(queueId, queueOffset)
        this.#condemn(book, queueOffset, 'wrong', `${place} has another id than acknowledged`)
      }
    } else enter(book, queueOffset, number, logOffset, uniqueKey)
    book.bits.set(queueOffset, book.bits.get(queueOffset) | ACKNOWLEDGED)
    this.acknowledged.advance(this.acknowledged.value + 1)
    if (this.acknowledged.value === this.#alarm?.point) this.#alarm.ring()
  }

  /** Takes what a reader found at a place of a queue. */
  noteRead(queueId: number, queueOffset: number, record: StoredRecord): void {
    if (record.queueId !== queueId || record.queueOffset !== queueOffset) {
      const place = nameOf(queueId, queueOffset)
      this.#note('holes', `${place} has a message of ${record.queueId} at ${record.queueOffset}`)
      return
    }
    const book = this.#book(queueId)
    const bits = book.bits.get(queueOffset)
    const known = recognize(record, this.topic)
    if (known === undefined) {
      this.#condemn(
        book,
        queueOffset,
        'wrong',
        `${nameOf(queueId, queueOffset)} has none of our messages`,
      )
      return
    }
    const { number, uniqueKey } = known
    if (this.#attempts.get(number) === 0)
      this.#note('phantoms', `${nameOf(queueId, queueOffset)} has ${number}, not sent`)
    if ((bits & (ACKNOWLEDGED | READ)) === 0) {
      enter(book, queueOffset, number, record.logOffset, uniqueKey)
    } else if (book.numbers.get(queueOffset) !== number) {
      const had = book.numbers.get(queueOffset)
      const place = nameOf(queueId, queueOffset)
      this.#condemn(book, queueOffset, 'lost', `${place} had ${had} and has ${number} now`)
    } else if (
      book.logOffsets.get(queueOffset) !== record.logOffset ||
      book.keySums.get(queueOffset) !== crc32(uniqueKey)
    ) {
      const place = nameOf(queueId, queueOffset)
      this.#condemn(book, queueOffset, 'wrong', `${place} has another id or log offset now`)
    }
    if ((bits & COUNTED) === 0) this.#copies.set(number, this.#copies.get(number) + 1)
    book.bits.set(queueOffset, book.bits.get(queueOffset) | READ | COUNTED)
  }

  /**
   * Some message that was found by the last census, and where it is; undefined when the place that
   * chance points at has none.
   */
  anyCounted(random: Random): { readonly number: number; readonly logOffset: number } | undefined {
    const book = this.#queues[random.below(this.#queues.length)]
    if (book === undefined || book.bits.length === 0) return undefined
    const at = random.below(book.bits.length)
    if ((book.bits.get(at) & COUNTED) === 0) return undefined
    return { number: book.numbers.get(at), logOffset: book.logOffsets.get(at) }
  }

  /** A message is there, and was not found by its key. */
  noteUnfound(number: number): void {
    this.#note('unfound', `a query for the key ${number} does not find it`)
  }

  /** Before all queues are read from their first to their last offset. */
  beginCensus(): void {
    this.#copies.clear()
    for (const { bits } of this.#queues) {
      for (let at = 0; at < bits.length; at++) bits.set(at, bits.get(at) & ~COUNTED)
    }
  }

  /** After that: a queue had messages from `minOffset` to, not including, `maxOffset`. */
  endCensus(queueId: number, minOffset: number, maxOffset: number): void {
    const { bits } = this.#book(queueId)
    for (let at = 0; at < Math.max(bits.length, maxOffset); at++) {
      const each = bits.get(at)
      if (at < minOffset) {
        const isUnread = (each & (ACKNOWLEDGED | READ)) === ACKNOWLEDGED
        if (isUnread) this.#note('unread', `${nameOf(queueId, at)} was removed before it was read`)
      } else if (at >= maxOffset) {
        const isLost = (each & (ACKNOWLEDGED | READ)) !== 0 && (each & CONDEMNED) === 0
        if (isLost)
          this.#note('lost', `${nameOf(queueId, at)} is gone, the queue ends at ${maxOffset}`)
      } else if ((each & (COUNTED | CONDEMNED)) === 0)
        this.#note('holes', `${nameOf(queueId, at)} was not found`)
    }
  }

  /** After all of that: messages that were found more often than sent. */
  countCopies(): void {
    for (let number = 0; number < this.#copies.length; number++) {
      const copies = this.#copies.get(number)
      const attempts = this.#attempts.get(number)
      if (attempts > 0 && copies > attempts)
        this.#note('phantoms', `${number}, sent ${attempts}, is there ${copies}`)
    }
  }

  /**
   * What a loss of power took: forgets what lies at the end of a queue from `maxOffset` on, and
   * says which log offsets that concerns: the lowest of those forgotten, the highest of those kept.
   */
  forgetFrom(queueId: number, maxOffset: number): Forgotten {
    const { bits, logOffsets } = this.#book(queueId)
    let count = 0
    let lowestGone = Number.POSITIVE_INFINITY
    for (let at = maxOffset; at < bits.length; at++) {
      if ((bits.get(at) & ACKNOWLEDGED) !== 0) count++
      if (bits.get(at) !== 0) lowestGone = Math.min(lowestGone, logOffsets.get(at))
      bits.set(at, 0)
    }
    return { count, lowestGone, highestKept: highestIn(bits, logOffsets, maxOffset) }
  }

  #note(kind: keyof Flaws, sentence: string): void {
    this.flaws[kind]++
    if (this.examples.length < MOST_EXAMPLES) this.examples.push(`${kind}: ${sentence}`)
  }

  /** A place counts once. */
  #condemn(book: QueueBook, queueOffset: number, kind: 'lost' | 'wrong', sentence: string): void {
    const bits = book.bits.get(queueOffset)
    if ((bits & CONDEMNED) === 0) this.#note(kind, sentence)
    book.bits.set(queueOffset, bits | CONDEMNED)
  }

  #book(queueId: number): QueueBook {
    const book = this.#queues[queueId]
    if (book === undefined) throw new RangeError(`there is no queue ${queueId}`)
    return book
  }
}

/** What is gone of a queue. */
export interface Forgotten {
  /** Messages that were acknowledged. */
  readonly count: number
  readonly lowestGone: number
  readonly highestKept: number
}

function nameOf(queueId: number, queueOffset: number): string {
  return `queue ${queueId} at ${queueOffset}`
}

function enter(
  book: QueueBook,
  queueOffset: number,
  number: number,
  logOffset: number,
  uniqueKey: string,
): void {
  book.numbers.set(queueOffset, number)
  book.logOffsets.set(queueOffset, logOffset)
  book.keySums.set(queueOffset, crc32(uniqueKey))
}

function highestIn(bits: Row, logOffsets: Row, end: number): number {
  for (let at = Math.min(end, bits.length) - 1; at >= 0; at--) {
    if (bits.get(at) !== 0) return logOffsets.get(at)
  }
  return -1
}
