/**
 * Which numbered message was acknowledged at which place of which broker, and whether it is there: at
 * the master, and at its slave. Owns the places, in rows of plain numbers, since there are millions.
 */
import type { SendResult } from '@rockhopper/client'
import { recognize } from './numbered-message.ts'
import { messagesOf, type PullOptions } from './queue-pulls.ts'
import { Row } from './row.ts'

/** What a reading of one broker's queues came to. */
export interface Census {
  /** Messages that were read. */
  readonly read: number
  /** Messages that were acknowledged so and are not at their place. */
  readonly missing: number
  /** Messages with another byte or place than they were sent or acknowledged with. */
  readonly wrong: number
  /** The first of them, in words. */
  readonly examples: readonly string[]
}

/** What is noted of an acknowledgement. */
type Stored = Pick<SendResult, 'queue' | 'queueOffset' | 'status'>

const MOST_EXAMPLES = 10

/** Bits of a place. */
const STORED = 1
/** As safe as the broker promises. */
const SAFE = 2

interface QueueBook {
  /** By queue offset: the number, and one more, so that 0 stands for none. */
  readonly numbers: Row
  readonly bits: Row
}

export class ReplicaBooks {
  readonly #topic: string
  readonly #queues = new Map<string, QueueBook>()
  /** Numbers that consumers were given. */
  readonly #delivered = new Row(Uint8Array)
  readonly #acknowledged = new Row(Uint8Array)
  acknowledged = 0
  lessSafe = 0
  delivered = 0
  repeats = 0

  constructor(topic: string) {
    this.#topic = topic
  }

  noteAcknowledged(number: number, { queue, queueOffset, status }: Stored): void {
    const book = this.#book(queue.brokerName, queue.queueId)
    book.numbers.set(queueOffset, number + 1)
    book.bits.set(queueOffset, status === 'SEND_OK' ? STORED | SAFE : STORED)
    this.#acknowledged.set(number, 1)
    this.acknowledged++
    if (status !== 'SEND_OK') this.lessSafe++
  }

  noteDelivered(number: number): void {
    if (this.#delivered.get(number) === 1) this.repeats++
    else this.delivered++
    this.#delivered.set(number, 1)
  }

  /** Acknowledged messages that no consumer was given so far. */
  get undelivered(): number {
    let count = 0
    for (let number = 0; number < this.#acknowledged.length; number++) {
      if (this.#acknowledged.get(number) === 1 && this.#delivered.get(number) === 0) count++
    }
    return count
  }

  /** Offset behind the last message of a queue that was acknowledged. */
  endOf(brokerName: string, queueId: number): number {
    return this.#book(brokerName, queueId).numbers.length
  }

  /** Reads the queues of a broker and compares them with the books. */
  async census(
    brokerName: string,
    queueCount: number,
    place: Omit<PullOptions, 'topic'>,
    which: 'all' | 'safe' = 'all',
  ): Promise<Census> {
    const examples: string[] = []
    const found = { read: 0, missing: 0, wrong: 0 }
    const note = (kind: 'missing' | 'wrong', sentence: string): void => {
      found[kind]++
      if (examples.length < MOST_EXAMPLES) examples.push(`${kind}: ${sentence}`)
    }
    for (let queueId = 0; queueId < queueCount; queueId++) {
      const book = this.#book(brokerName, queueId)
      const name = `${brokerName} queue ${queueId}`
      let next = 0
      for await (const record of messagesOf({ ...place, topic: this.#topic }, queueId)) {
        const { queueOffset } = record
        if (queueOffset !== next) note('wrong', `${name}: ${queueOffset} follows ${next - 1}`)
        for (; next < queueOffset; next++) {
          if (isWanted(book, next, which)) note('missing', `${name} at ${next}`)
        }
        next = queueOffset + 1
        found.read++
        const number = recognize(record, this.#topic)?.number
        const expected = book.numbers.get(queueOffset)
        if (number === undefined) note('wrong', `${name} at ${queueOffset} is no message of ours`)
        else if (expected !== 0 && expected !== number + 1) {
          note('wrong', `${name} at ${queueOffset} has ${number}, not ${expected - 1}`)
        }
        // A slave sends who has read everything to its master, and needs not be asked for that.
        if (next >= book.numbers.length) break
      }
      for (; next < book.numbers.length; next++) {
        if (isWanted(book, next, which)) note('missing', `${name} at ${next}`)
      }
    }
    return { ...found, examples }
  }

  #book(brokerName: string, queueId: number): QueueBook {
    const key = `${brokerName} ${queueId}`
    let book = this.#queues.get(key)
    if (book === undefined) {
      book = { numbers: new Row(Uint32Array), bits: new Row(Uint8Array) }
      this.#queues.set(key, book)
    }
    return book
  }
}

function isWanted({ bits }: QueueBook, queueOffset: number, which: 'all' | 'safe'): boolean {
  return (bits.get(queueOffset) & (which === 'safe' ? SAFE : STORED)) !== 0
}
