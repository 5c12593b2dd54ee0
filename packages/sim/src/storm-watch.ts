/**
 * Looks at the queues of a storm's groups again and again: which of them stand still although they
 * have messages, and which nobody has. Owns since when each does. What explains a standstill does
 * not count: a broker that is down, a group without members, a queue that belongs to a member that
 * vanished without a word, as long as brokers cannot know that it did.
 */
import type { StormHistory } from './storm-history.ts'
import { brokerOf } from './storm-member.ts'

/** Shorter standstills are of no interest. */
const LEAST_MS = 1_000

/** A group as it is at the moment of a look. */
export interface WatchedGroup {
  readonly group: string
  /** Queues of the members that are there and reachable. */
  readonly owned: ReadonlySet<string>
  readonly memberCount: number
  /** Whether brokers may count members that are not there, or do not reach them. */
  readonly hasGhosts: boolean
}

export interface Watched {
  readonly nowMs: number
  readonly groups: readonly WatchedGroup[]
  /** Whether clients can have been told of everything by this broker. */
  readonly isWell: (broker: string) => boolean
}

interface Place {
  /** Deliveries of the history that were looked at. */
  readonly waiting: Set<string>
  /** Since when it has messages and nothing happens; undefined while that is not so. */
  idleSinceMs: number | undefined
  unownedSinceMs: number | undefined
}

export class StormWatch {
  readonly #history: StormHistory
  readonly #queues: readonly string[]
  readonly #places = new Map<string, Place>()
  #sentSeen = new Set<string>()
  readonly #unacknowledged = new Set<number>()
  #sentCount = 0
  #deliveryCount = 0
  readonly #running = new Set<number>()

  constructor(history: StormHistory, groups: readonly string[], queues: readonly string[]) {
    this.#history = history
    this.#queues = queues
    for (const group of groups) {
      for (const queue of queues) {
        const place = {
          waiting: new Set<string>(),
          idleSinceMs: undefined,
          unownedSinceMs: undefined,
        }
        this.#places.set(placeName(group, queue), place)
      }
    }
  }

  look({ nowMs, groups, isWell }: Watched): void {
    const moved = this.#seeDeliveries()
    this.#seeAcknowledgements(groups)
    for (const watched of groups) {
      for (const queue of this.#queues) {
        const place = this.#places.get(placeName(watched.group, queue))
        if (place === undefined) continue
        const isExcused =
          watched.memberCount === 0 ||
          !isWell(brokerOf(queue)) ||
          (!watched.owned.has(queue) && watched.hasGhosts)
        const isIdle = place.waiting.size > 0 && !moved.has(placeName(watched.group, queue))
        this.#note(place, 'idle', isIdle && !isExcused, watched.group, queue, nowMs)
        const isUnowned = !watched.owned.has(queue)
        this.#note(place, 'unowned', isUnowned && !isExcused, watched.group, queue, nowMs)
      }
    }
  }

  #note(
    place: Place,
    kind: 'idle' | 'unowned',
    isSo: boolean,
    group: string,
    queue: string,
    nowMs: number,
  ): void {
    const since = kind === 'idle' ? 'idleSinceMs' : 'unownedSinceMs'
    const fromMs = place[since]
    if (isSo) place[since] ??= nowMs
    else {
      place[since] = undefined
      if (fromMs === undefined || nowMs - fromMs < LEAST_MS) return
      this.#history.standstill({ kind, group, queue, fromMs, untilMs: nowMs })
    }
  }

  /** Places of which a handler began or ended since the last look, or runs. */
  #seeDeliveries(): ReadonlySet<string> {
    const { deliveries } = this.#history
    const moved = new Set<string>()
    for (; this.#deliveryCount < deliveries.length; this.#deliveryCount++) {
      this.#running.add(this.#deliveryCount)
    }
    for (const index of this.#running) {
      const delivery = deliveries[index]
      if (delivery === undefined) continue
      const name = placeName(delivery.group, delivery.queue)
      moved.add(name)
      if (delivery.end === undefined) continue
      this.#running.delete(index)
      if (delivery.end.how === 'cut short') continue
      this.#places.get(name)?.waiting.delete(delivery.key)
      this.#sentSeen.add(`${delivery.group} ${delivery.key}`)
    }
    return moved
  }

  #seeAcknowledgements(groups: readonly WatchedGroup[]): void {
    const { sent } = this.#history
    for (; this.#sentCount < sent.length; this.#sentCount++)
      this.#unacknowledged.add(this.#sentCount)
    for (const index of this.#unacknowledged) {
      const message = sent[index]
      if (message?.acknowledged === undefined) continue
      this.#unacknowledged.delete(index)
      const { queue } = message.acknowledged
      for (const { group } of groups) {
        if (this.#sentSeen.has(`${group} ${message.key}`)) continue
        this.#places.get(placeName(group, queue))?.waiting.add(message.key)
      }
    }
  }
}

function placeName(group: string, queue: string): string {
  return `${group} ${queue}`
}
