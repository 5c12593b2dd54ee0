/**
 * The sequence audit against a network and brokers by chance: requests that overtake each other, come
 * late or never, answers that are lost, and a disk that forgets what it has acknowledged.
 */
import { decodeProperties } from '@rockhopper/protocol'
import { createWorld } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import { SequenceAudit } from '../../packages/client/src/audit/sequence-audit.ts'
import { SequenceStamps } from '../../packages/client/src/audit/sequence-stamps.ts'
import { decodeStamp, STAMP_PROPERTY } from '../../packages/client/src/audit/stamp.ts'
import type { Parcel } from '../../packages/client/src/produce/sender.ts'
import type { ReceivedMessage } from '../../packages/client/src/pull/received-message.ts'

const QUEUES = [0, 1].map((queueId) => ({ topic: 'orders', brokerName: 'broker-a', queueId }))
const STEPS = 400

interface Request {
  readonly parcel: Parcel
  readonly queueId: number
  readonly stamp: string
  /** The sender does not wait any more. */
  isGivenUp: boolean
}

class Play {
  readonly #world
  readonly #stamps: SequenceStamps
  /** What each queue holds. */
  readonly logs: string[][] = [[], []]
  readonly acknowledged: Set<number>[] = [new Set(), new Set()]
  readonly stored: number[][] = [[], []]
  readonly givenUp: Set<number>[] = [new Set(), new Set()]
  #onTheWay: Request[] = []

  constructor(seed: number) {
    this.#world = createWorld(seed)
    this.#stamps = new SequenceStamps(this.#world.host('a').doors.random, 1_000_000)
    for (let step = 0; step < STEPS; step++) this.#step()
    while (this.#onTheWay.length > 0) this.#arrive()
  }

  below(limit: number): number {
    return this.#world.host('a').doors.random.below(limit)
  }

  #step(): void {
    const dice = this.below(10)
    if (dice < 5) this.#send(newParcel(), this.below(2))
    else if (dice < 9) this.#arrive()
    else this.#loseOrLeave()
  }

  #send(parcel: Parcel, queueId: number): void {
    const [queue] = QUEUES.slice(queueId)
    if (queue === undefined) return
    const sent = this.#stamps.stamped(parcel, queue)
    const properties = decodeProperties(sent.header.properties ?? Buffer.alloc(0))
    const stamp = properties.get(STAMP_PROPERTY) ?? ''
    this.#onTheWay.push({ parcel, queueId, stamp, isGivenUp: false })
  }

  /** One of the requests is stored, mostly the oldest; its answer may be lost. */
  #arrive(): void {
    const at = this.below(3) === 0 ? this.below(this.#onTheWay.length || 1) : 0
    const [request] = this.#onTheWay.splice(at, 1)
    if (request === undefined) return
    const { queueId, stamp, parcel, isGivenUp } = request
    const sequence = sequenceOf(stamp)
    this.logs[queueId]?.push(stamp)
    this.stored[queueId]?.push(sequence)
    if (isGivenUp) return
    if (this.below(8) === 0) this.#again(request)
    else {
      this.#stamps.stored(parcel)
      this.#stamps.over(parcel)
      this.acknowledged[queueId]?.add(sequence)
    }
  }

  /** A request is lost, or is too late for its sender. */
  #loseOrLeave(): void {
    const at = this.below(this.#onTheWay.length || 1)
    const request = this.#onTheWay[at]
    if (request === undefined || request.isGivenUp) return
    if (this.below(2) === 0) this.#onTheWay.splice(at, 1)
    request.isGivenUp = true
    this.#again(request)
  }

  /** To the same queue, to the other, or not at all. */
  #again({ parcel, queueId, stamp }: Request): void {
    const choice = this.below(3)
    if (choice !== 0) this.givenUp[queueId]?.add(sequenceOf(stamp))
    if (choice === 0) this.#send(parcel, queueId)
    else if (choice === 1) this.#send(parcel, 1 - queueId)
    else this.#stamps.over(parcel)
  }
}

function newParcel(): Parcel {
  const message = { topic: 'orders', body: 'x' }
  return {
    ...{ topic: 'orders', msgId: 'id', body: [], sizeBytes: 1, isBatch: false, canJoin: true },
    ...{ waitStored: true, message, members: undefined },
    header: { properties: Buffer.alloc(0) },
  } as unknown as Parcel
}

function sequenceOf(stamp: string): number {
  return decodeStamp(stamp)?.sequence ?? 0
}

function audited(play: Play): { lost: Set<number>[]; repeated: Set<number>[] } {
  const lost = [new Set<number>(), new Set<number>()]
  const repeated = [new Set<number>(), new Set<number>()]
  const audit = new SequenceAudit({
    onLost: ({ queue, fromSequence, toSequence }) => {
      for (let at = fromSequence; at <= toSequence; at++) lost[queue.queueId]?.add(at)
    },
    onRepeated: ({ queue, sequence }) => void repeated[queue.queueId]?.add(sequence),
  })
  for (const queue of QUEUES) {
    audit.begin(queue, 0)
    for (const [queueOffset, stamp] of (play.logs[queue.queueId] ?? []).entries()) {
      const properties = { [STAMP_PROPERTY]: stamp }
      audit.see({ queue, queueOffset, properties, msgId: '' } as unknown as ReceivedMessage)
    }
  }
  return { lost, repeated }
}

describe('the sequence audit, whatever happens to requests and answers,', () => {
  const seeds = Array.from({ length: 60 }, (_, i) => i + 1)

  test('misses nothing where nothing acknowledged is lost, and takes for repeats what may be some', () => {
    let repeats = 0
    for (const seed of seeds) {
      const play = new Play(seed)
      const { lost, repeated } = audited(play)
      expect([seed, ...lost.flatMap((each) => [...each])]).toEqual([seed])
      for (const [queueId, found] of repeated.entries()) {
        const stored = play.stored[queueId] ?? []
        const twice = stored.filter((sequence, at) => stored.indexOf(sequence) !== at)
        const wrong = [...found].filter(
          (sequence) => !twice.includes(sequence) && play.givenUp[queueId]?.has(sequence) !== true,
        )
        expect([seed, ...wrong]).toEqual([seed])
        expect([seed, ...twice.filter((sequence) => !found.has(sequence))]).toEqual([seed])
        repeats += found.size
      }
    }
    expect(repeats).toBeGreaterThan(100)
  })

  test('finds every acknowledged message that is gone, as soon as a later one tells of it', () => {
    let losses = 0
    for (const seed of seeds) {
      const play = new Play(seed)
      const wanted = play.logs.map((log, queueId) => {
        const gone = new Set<number>()
        for (let count = 0; count < 5 && log.length > 0; count++) {
          const sequence = sequenceOf(log[play.below(log.length)] ?? '')
          if (play.acknowledged[queueId]?.has(sequence)) gone.add(sequence)
        }
        const kept = log.filter((stamp) => !gone.has(sequenceOf(stamp)))
        play.logs[queueId] = kept
        const known = Math.max(0, ...kept.map((stamp) => decodeStamp(stamp)?.settled ?? 0))
        return [...gone].filter((sequence) => sequence <= known)
      })
      for (const [queueId, found] of audited(play).lost.entries()) {
        const missed = wanted[queueId]?.filter((sequence) => !found.has(sequence)) ?? []
        // A number given up is missed as well where those that name it are gone.
        const wrong = [...found].filter(
          (sequence) =>
            !wanted[queueId]?.includes(sequence) && play.givenUp[queueId]?.has(sequence) !== true,
        )
        expect([seed, missed, wrong]).toEqual([seed, [], []])
        losses += found.size
      }
    }
    expect(losses).toBeGreaterThan(200)
  })
})
