/**
 * Counts the messages of a producer on each queue, when the queue is chosen, and stamps them. A resend
 * to the same queue has the same number; where a message goes to another queue it gets one of that, and
 * the number on the first is given up, so that it is not missed there. Messages that are delayed, that
 * begin a transaction or that are sent one way are not counted: their order in the queue, or that they
 * arrive at all, is not promised. Owns the counts.
 */
import type { Random } from '@rockhopper/host'
import {
  encodeBatch,
  isRetryTopic,
  MAX_PROPERTIES_BYTES,
  type MessageQueue,
  propertyPair,
  sysFlag,
} from '@rockhopper/protocol'
import { queueKey } from '../message-queue.ts'
import { isDelayed } from '../produce/draft.ts'
import type { Parcel } from '../produce/sender.ts'
import { encodeStamp, type GivenUp, MAX_GIVEN_UP, placeOf, STAMP_PROPERTY } from './stamp.ts'

/** Queues that are counted; beyond it counting begins anew, under other names. */
const MAX_LINES = 65_536

const PRODUCER_ID_BYTES = 6
const NOTHING = Buffer.alloc(0)

/** The messages of one queue. */
interface Line {
  readonly producerId: string
  readonly place: string
  next: number
  /** Counts of messages by their first number; what was begun first comes first. */
  readonly open: Map<number, number>
  /** Numbers given up, by the first of each range. */
  readonly givenUp: Map<number, GivenUp>
  /** Whether nothing is counted by it any more. */
  isOver: boolean
}

/** What a parcel has of a queue's numbers. */
interface Held {
  readonly line: Line
  readonly key: string
  readonly first: number
  /** First numbers of the ranges given up that this parcel names. */
  carried: readonly number[]
}

export class SequenceStamps {
  /** As consumers report it. */
  readonly producerId: string
  readonly #maxBytes: number
  readonly #lines = new Map<string, Line>()
  readonly #held = new WeakMap<Parcel, Held>()
  /** How often counting began anew. */
  #runs = 1

  /** `maxBytes`: of a batch, with its stamps. */
  constructor(random: Random, maxBytes: number) {
    this.producerId = random.bytes(PRODUCER_ID_BYTES).toString('hex')
    this.#maxBytes = maxBytes
  }

  /** The parcel as it goes to a queue. One without room for a stamp goes as it is, and is not counted. */
  stamped(parcel: Parcel, queue: MessageQueue): Parcel {
    if (!isCounted(parcel)) return parcel
    const key = queueKey(queue)
    const before = this.#held.get(parcel)
    const isAgain = before !== undefined && before.key === key && !before.line.isOver
    if (before !== undefined && !isAgain) this.#giveUp(parcel, before, true)
    const held = isAgain ? before : this.#take(parcel, queue, key)
    // A resend names none that were counted after it.
    const givenUp = [...held.line.givenUp.values()].filter(({ to }) => to < held.first)
    held.carried = givenUp.map(({ from }) => from)
    const stamped = this.#written(parcel, held, givenUp)
    if (stamped !== undefined) return stamped
    if (held === before) this.#giveUp(parcel, held, true)
    else this.#putBack(parcel, held)
    return parcel
  }

  /** A broker has stored the parcel. */
  stored(parcel: Parcel): void {
    const held = this.#held.get(parcel)
    if (held === undefined) return
    const { line, first, carried } = held
    line.open.delete(first)
    for (const sequence of carried) line.givenUp.delete(sequence)
    this.#held.delete(parcel)
  }

  /** Nobody tries any more to deliver the parcel. */
  over(parcel: Parcel): void {
    const held = this.#held.get(parcel)
    if (held !== undefined) this.#giveUp(parcel, held, false)
  }

  #take(parcel: Parcel, queue: MessageQueue, key: string): Held {
    const line = this.#lineOf(queue, key)
    const first = line.next
    const count = parcel.members?.length ?? 1
    line.next += count
    line.open.set(first, count)
    const held = { line, key, first, carried: [] }
    this.#held.set(parcel, held)
    return held
  }

  /** As if it had never been counted: no other was since. */
  #putBack(parcel: Parcel, { line, first }: Held): void {
    line.open.delete(first)
    line.next = first
    this.#held.delete(parcel)
  }

  #giveUp(parcel: Parcel, { line, key, first: from }: Held, isElsewhere: boolean): void {
    const to = from + (line.open.get(from) ?? 1) - 1
    line.open.delete(from)
    this.#held.delete(parcel)
    line.givenUp.set(from, { from, to, isElsewhere })
    if (line.givenUp.size <= MAX_GIVEN_UP) return
    // More than a stamp can name: what comes is counted under another name.
    line.isOver = true
    if (this.#lines.get(key) === line) this.#beginAnew((lines) => lines.delete(key))
  }

  #lineOf(queue: MessageQueue, key: string): Line {
    const known = this.#lines.get(key)
    if (known !== undefined) return known
    if (this.#lines.size >= MAX_LINES) this.#beginAnew((lines) => lines.clear())
    const producerId = this.#runs === 1 ? this.producerId : `${this.producerId}.${this.#runs}`
    const place = placeOf(queue)
    const line = { producerId, place, next: 1, open: new Map(), givenUp: new Map(), isOver: false }
    this.#lines.set(key, line)
    return line
  }

  #beginAnew(forget: (lines: Map<string, Line>) => void): void {
    forget(this.#lines)
    this.#runs++
  }

  /** Undefined when there is no room for the stamps. */
  #written(parcel: Parcel, { line, first }: Held, givenUp: readonly GivenUp[]): Parcel | undefined {
    const { header, members } = parcel
    const [oldest = line.next] = line.open.keys()
    const settled = oldest - 1
    const { producerId, place } = line
    const withStamp = (properties: Buffer, at: number): Buffer => {
      const stamp = encodeStamp({ producerId, place, sequence: first + at, settled, givenUp })
      return Buffer.concat([properties, propertyPair(STAMP_PROPERTY, stamp)])
    }
    if (members === undefined) {
      const properties = withStamp(header.properties ?? NOTHING, 0)
      if (properties.length > MAX_PROPERTIES_BYTES) return undefined
      return { ...parcel, header: { ...header, properties } }
    }
    const entries = members.map((member, at) => {
      return { ...member, properties: withStamp(member.properties, at) }
    })
    if (entries.some(({ properties }) => properties.length > MAX_PROPERTIES_BYTES)) return undefined
    const body = encodeBatch(entries)
    return body.length > this.#maxBytes ? undefined : { ...parcel, body: [body] }
  }
}

function isCounted({ topic, header, message }: Parcel): boolean {
  const isHalf = ((header.sysFlag ?? 0) & sysFlag.transactionPrepared) !== 0
  return !isHalf && !isDelayed(message) && !isRetryTopic(topic)
}
