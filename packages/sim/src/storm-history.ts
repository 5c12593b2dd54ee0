/**
 * What happened to the groups of a storm, in order: messages sent and acknowledged, handlers begun
 * and ended, members and brokers in trouble, queues that stood still. Owns these lists and the count
 * of steps that orders them; it judges nothing, that is for `storm-checker.ts`.
 */

/** A place in a queue. */
export interface StormSpot {
  /** Topic, broker and number of the queue, as one name. */
  readonly queue: string
  readonly queueOffset: number
}

export interface StormSend {
  readonly key: string
  /** Set when a broker said where it is stored. */
  acknowledged: StormSpot | undefined
}

/** How a handler has ended: well, by throwing, or with its process. */
export type HandlerEnd = 'handled' | 'failed' | 'cut short'

/** One call of a handler. */
export interface StormDelivery extends StormSpot {
  readonly group: string
  /** The member, and which of its lives. */
  readonly member: string
  readonly key: string
  readonly atMs: number
  readonly step: number
  end: { readonly how: HandlerEnd; readonly atMs: number; readonly step: number } | undefined
}

/** Something that befell a member or a broker, and explains that messages come twice. */
export interface Trouble {
  /** A life of a member, or a broker. */
  readonly who: string
  readonly fromMs: number
  /** When it was over; a death is over at once. */
  readonly untilMs: number
}

/** A queue that stood still, or that nobody had. */
export interface Standstill {
  readonly kind: 'idle' | 'unowned'
  readonly group: string
  readonly queue: string
  readonly fromMs: number
  readonly untilMs: number
}

export class StormHistory {
  readonly sent: StormSend[] = []
  readonly deliveries: StormDelivery[] = []
  readonly troubles: Trouble[] = []
  readonly standstills: Standstill[] = []
  readonly #nowMs: () => number
  readonly #note: (what: string) => void
  #step = 0

  /** `note` is told each entry as a line: two histories are equal when their lines are. */
  constructor(nowMs: () => number, note: (what: string) => void = () => {}) {
    this.#nowMs = nowMs
    this.#note = note
  }

  send(key: string): StormSend {
    const sent = { key, acknowledged: undefined }
    this.sent.push(sent)
    this.#note(`send ${key}`)
    return sent
  }

  acknowledge(sent: StormSend, spot: StormSpot): void {
    sent.acknowledged = spot
    this.#note(`acknowledge ${sent.key} ${spot.queue} ${spot.queueOffset}`)
  }

  /** A handler begins with a message. */
  deliver(
    delivery: Pick<StormDelivery, 'group' | 'member' | 'key' | 'queue' | 'queueOffset'>,
  ): StormDelivery {
    const begun = { ...delivery, atMs: this.#nowMs(), step: this.#next(), end: undefined }
    this.deliveries.push(begun)
    this.#note(`deliver ${begun.member} ${begun.queue} ${begun.queueOffset}`)
    return begun
  }

  /** A handler ends; of one whose process is gone nothing more is heard. */
  end(delivery: StormDelivery, how: HandlerEnd): void {
    if (delivery.end !== undefined) return
    delivery.end = { how, atMs: this.#nowMs(), step: this.#next() }
    this.#note(`${how} ${delivery.member} ${delivery.key}`)
  }

  trouble(who: string, fromMs: number, untilMs: number): void {
    this.troubles.push({ who, fromMs, untilMs })
  }

  standstill(standstill: Standstill): void {
    this.standstills.push(standstill)
  }

  #next(): number {
    this.#step += 1
    return this.#step
  }
}
