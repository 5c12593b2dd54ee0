/**
 * Looks whether all messages that producers have counted (`sequence-stamps.ts`) are there, and once
 * only. It sees each message of a queue in the order of their offsets, before it is handled:
 *
 *   a number that never came, of which a later message says that it was stored: lost
 *   a number that came before at another offset: repeated
 *   a number that came, though its message went to another queue as well: repeated
 *
 * A queue that is taken up in the middle is audited from there. What was sent last is known to be there
 * when something later is; numbers given up are missed, too, where the messages that name them are lost.
 * Owns what is known of each producer and queue.
 */
import type { MessageQueue } from '@rockhopper/protocol'
import { queueKey } from '../message-queue.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { decodeStamp, placeOf, STAMP_PROPERTY, type Stamp } from './stamp.ts'

/** Producers of a queue that are remembered; beyond it the one that was silent longest is forgotten. */
export const MAX_AUDITED_PRODUCERS = 256

/** Gaps of a producer and queue that may still be filled; beyond it the oldest is given up. */
const MAX_GAPS = 1_024

/** Numbers of one range that are looked at: no batch has more. */
const MAX_COPIES = 1_024

/** Repeats that stamps tell of, remembered so that each is told once. */
const MAX_TOLD = 256

/** Messages that a producer sent and that are not in their queue, though they were acknowledged. */
export interface SequenceLoss {
  readonly producerId: string
  readonly queue: MessageQueue
  /** Numbers of the messages, the last included. */
  readonly fromSequence: number
  readonly toSequence: number
  /** Offset of the producer's message before them; undefined where there was none. */
  readonly afterOffset: number | undefined
  /** Offset of the message that told of it. */
  readonly noticedAtOffset: number
}

/** A message that is stored more than once. */
export interface SequenceRepeat {
  readonly producerId: string
  readonly queue: MessageQueue
  readonly sequence: number
  /** Where the repeat lies; undefined when it lies in another queue. */
  readonly offset: number | undefined
  /** Unique key of the message, by which all copies are found; undefined as well then. */
  readonly msgId: string | undefined
}

/** What is known of one producer and queue. */
export interface AuditRow {
  readonly producerId: string
  readonly queue: MessageQueue
  /** Messages that were looked at. */
  readonly audited: number
  readonly lost: number
  readonly repeated: number
  /** Numbers that may still come, or turn out to be lost. */
  readonly awaited: number
  /** The highest number that came, and the offset where the producer's last message lies. */
  readonly lastSequence: number
  readonly lastOffset: number
}

/** Counts over all producers and queues, also those that were forgotten. */
export interface AuditTotals {
  readonly audited: number
  /** Messages that bear no stamp, or one of another queue. */
  readonly unstamped: number
  readonly lost: number
  readonly repeated: number
}

export interface SequenceAuditEvents {
  readonly onLost: (loss: SequenceLoss) => void
  readonly onRepeated: (repeat: SequenceRepeat) => void
}

interface Gap {
  readonly from: number
  readonly to: number
  readonly afterOffset: number | undefined
}

interface Producer {
  /** The first number that is audited. */
  readonly first: number
  highest: number
  gaps: Gap[]
  lastOffset: number | undefined
  audited: number
  lost: number
  repeated: number
  readonly told: Set<number>
}

interface Queue {
  readonly queue: MessageQueue
  readonly place: string
  nextOffset: number
  /** Whether each producer is seen from its first message on. */
  isWhole: boolean
  readonly producers: Map<string, Producer>
}

export class SequenceAudit {
  readonly #events: SequenceAuditEvents
  readonly #queues = new Map<string, Queue>()
  #totals = { audited: 0, unstamped: 0, lost: 0, repeated: 0 }

  constructor(events: SequenceAuditEvents) {
    this.#events = events
  }

  get totals(): AuditTotals {
    return { ...this.#totals }
  }

  get rows(): readonly AuditRow[] {
    return [...this.#queues.values()].flatMap(({ queue, producers }) =>
      [...producers].map(([producerId, producer]) => rowOf(queue, producerId, producer)),
    )
  }

  /** A queue is read from this offset on: further on than it was left, it is audited anew. */
  begin(queue: MessageQueue, startOffset: number): void {
    const key = queueKey(queue)
    const known = this.#queues.get(key)
    if (known !== undefined && startOffset <= known.nextOffset) return
    const isWhole = startOffset === 0
    const place = placeOf(queue)
    this.#queues.set(key, { queue, place, nextOffset: startOffset, isWhole, producers: new Map() })
  }

  /** A queue, or all of a topic, is of no interest any more. */
  forget(topic: string): void {
    for (const [key, { queue }] of this.#queues) {
      if (queue.topic === topic) this.#queues.delete(key)
    }
  }

  /** The next message of a queue. One that was seen before is passed over. */
  see(message: ReceivedMessage): void {
    const audited = this.#queues.get(queueKey(message.queue))
    if (audited === undefined || message.queueOffset < audited.nextOffset) return
    audited.nextOffset = message.queueOffset + 1
    const stamp = decodeStamp(message.properties[STAMP_PROPERTY] ?? '')
    if (stamp === undefined || stamp.place !== audited.place) {
      this.#totals.unstamped++
      return
    }
    const producer = producerOf(audited, stamp)
    producer.audited++
    this.#totals.audited++
    this.#count(audited.queue, producer, stamp, message)
    for (const { from, to, isElsewhere } of stamp.givenUp) {
      if (isElsewhere) this.#tellCopies(audited.queue, producer, stamp, from, to)
      producer.gaps = producer.gaps.flatMap((gap) => without(gap, from, to))
    }
    this.#settle(audited.queue, producer, stamp, message.queueOffset)
    producer.lastOffset = message.queueOffset
  }

  #count(
    queue: MessageQueue,
    producer: Producer,
    { producerId, sequence }: Stamp,
    { queueOffset: offset, msgId }: ReceivedMessage,
  ): void {
    if (sequence > producer.highest) {
      if (sequence > producer.highest + 1) addGap(producer, sequence)
      producer.highest = sequence
    } else if (isMissing(producer, sequence)) {
      producer.gaps = producer.gaps.flatMap((gap) => without(gap, sequence, sequence))
    } else if (sequence >= producer.first) {
      this.#repeated(producer, { producerId, queue, sequence, offset, msgId })
    }
  }

  /** Of what went to another queue, that is here as well. */
  #tellCopies(
    queue: MessageQueue,
    producer: Producer,
    { producerId }: Stamp,
    from: number,
    to: number,
  ): void {
    const { first, told } = producer
    const start = Math.max(from, first, to - MAX_COPIES + 1)
    for (let sequence = start; sequence <= to; sequence++) {
      if (told.has(sequence) || isMissing(producer, sequence)) continue
      if (told.size >= MAX_TOLD) forgetOldest(told)
      told.add(sequence)
      this.#repeated(producer, {
        ...{ producerId, queue, sequence, offset: undefined, msgId: undefined },
      })
    }
  }

  #repeated(producer: Producer, repeat: SequenceRepeat): void {
    producer.repeated++
    this.#totals.repeated++
    this.#events.onRepeated(repeat)
  }

  /** What did not come before a message that says that it was stored does not come any more. */
  #settle(
    queue: MessageQueue,
    producer: Producer,
    { producerId, settled }: Stamp,
    noticedAtOffset: number,
  ): void {
    if ((producer.gaps[0]?.from ?? Number.POSITIVE_INFINITY) > settled) return
    const gaps = producer.gaps
    producer.gaps = gaps.flatMap((gap) => without(gap, 1, settled))
    for (const { from: fromSequence, to, afterOffset } of gaps) {
      if (fromSequence > settled) continue
      const toSequence = Math.min(to, settled)
      const count = toSequence - fromSequence + 1
      producer.lost += count
      this.#totals.lost += count
      const place = { queue, fromSequence, toSequence, afterOffset, noticedAtOffset }
      this.#events.onLost({ producerId, ...place })
    }
  }
}

function producerOf(audited: Queue, { producerId, sequence }: Stamp): Producer {
  const { producers } = audited
  const known = producers.get(producerId)
  // The one that was silent longest comes first.
  producers.delete(producerId)
  if (known === undefined && producers.size >= MAX_AUDITED_PRODUCERS) {
    forgetOldest(producers)
    audited.isWhole = false
  }
  const first = audited.isWhole ? 1 : sequence
  const producer = known ?? {
    ...{ first, highest: first - 1, gaps: [], lastOffset: undefined },
    ...{ audited: 0, lost: 0, repeated: 0, told: new Set() },
  }
  producers.set(producerId, producer)
  return producer
}

function addGap(producer: Producer, sequence: number): void {
  const gap = { from: producer.highest + 1, to: sequence - 1, afterOffset: producer.lastOffset }
  producer.gaps.push(gap)
  if (producer.gaps.length > MAX_GAPS) producer.gaps.shift()
}

function isMissing({ gaps }: Producer, sequence: number): boolean {
  return gaps.some(({ from, to }) => from <= sequence && sequence <= to)
}

/** What is left of a gap without some numbers. */
function without(gap: Gap, from: number, to: number): Gap[] {
  if (to < gap.from || gap.to < from) return [gap]
  const before = { ...gap, to: from - 1 }
  const behind = { ...gap, from: to + 1 }
  return [before, behind].filter((rest) => rest.from <= rest.to)
}

function forgetOldest<K>(keys: { keys(): Iterator<K>; delete(key: K): boolean }): void {
  const { value, done } = keys.keys().next()
  if (done !== true) keys.delete(value)
}

function rowOf(queue: MessageQueue, producerId: string, producer: Producer): AuditRow {
  const { audited, lost, repeated, highest, lastOffset = -1 } = producer
  const awaited = producer.gaps.reduce((sum, { from, to }) => sum + to - from + 1, 0)
  return { producerId, queue, audited, lost, repeated, awaited, lastSequence: highest, lastOffset }
}
