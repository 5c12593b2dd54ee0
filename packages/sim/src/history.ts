/**
 * What the applications of a simulation did and saw, in the order in which it happened: messages
 * sent and acknowledged, handlers begun and ended, offsets seen committed. Owns these lists and the
 * count of steps that orders them; it judges nothing, that is for `checker.ts`.
 */

/** Where a message lies: its queue, and its offset there. */
export interface Spot {
  readonly queueId: number
  readonly queueOffset: number
}

/** A message that a producer tried to send. */
export interface SentMessage {
  /** Its name in the whole simulation: producer and number. */
  readonly key: string
  readonly producer: string
  readonly tag: string
  readonly body: string
  readonly atMs: number
  /** When the send began, among all steps. */
  readonly beganStep: number
  /** Set when a broker said where it is stored. */
  acknowledged: (Spot & { readonly step: number; readonly atMs: number }) | undefined
}

/** One call of a consumer's handler; the spot is that of the message when it came first. */
export interface Delivery extends Spot {
  readonly consumer: string
  /** Empty when the body names no message. */
  readonly key: string
  readonly tag: string
  readonly body: string
  readonly atMs: number
  readonly beganStep: number
  /** Set when the handler has ended well. */
  handledStep: number | undefined
  /** Set when it failed: then the message is given back, and comes again. */
  failedStep: number | undefined
}

/** A committed offset of the consumer group, as an operator saw it. */
export interface CommittedOffset extends Spot {
  readonly atMs: number
  readonly step: number
}

/** A message as it lies in a queue at the end. */
export interface StoredMessage extends Spot {
  readonly key: string
  readonly tag: string
  readonly body: string
}

export class History {
  readonly sent: SentMessage[] = []
  readonly deliveries: Delivery[] = []
  readonly committed: CommittedOffset[] = []
  readonly #nowMs: () => number
  readonly #note: (what: string) => void
  /** Where each message that was delivered came from first. */
  readonly #firstSpots = new Map<string, Spot>()
  #step = 0

  /** `note` is told each entry as a line: two histories are equal when their lines are. */
  constructor(nowMs: () => number, note: (what: string) => void = () => {}) {
    this.#nowMs = nowMs
    this.#note = note
  }

  /** A producer begins to send. */
  send(message: Pick<SentMessage, 'key' | 'producer' | 'tag' | 'body'>): SentMessage {
    const beganStep = this.#next()
    const sent = { ...message, atMs: this.#nowMs(), beganStep, acknowledged: undefined }
    this.sent.push(sent)
    this.#note(`send ${message.tag} ${message.body}`)
    return sent
  }

  /** A broker said that the message is stored safely. */
  acknowledge(message: SentMessage, { queueId, queueOffset }: Spot): void {
    message.acknowledged = { queueId, queueOffset, step: this.#next(), atMs: this.#nowMs() }
    this.#note(`acknowledge ${message.key} ${queueId} ${queueOffset}`)
  }

  /** Whether each message that was delivered was handled in the end. */
  get isAllHandled(): boolean {
    const open = new Set(this.deliveries.map(({ key }) => key))
    for (const { handledStep, key } of this.deliveries) {
      if (handledStep !== undefined) open.delete(key)
    }
    return open.size === 0
  }

  /** A handler begins with a message, which may be one that was given back. */
  deliver(
    delivery: Pick<Delivery, 'consumer' | 'tag' | 'body' | 'queueId' | 'queueOffset'>,
    wasGivenBack: boolean,
  ): Delivery {
    const key = keyOf(delivery.body)
    const { queueId: fromQueue, queueOffset: fromOffset } = delivery
    const spot = { queueId: fromQueue, queueOffset: fromOffset }
    const first = wasGivenBack ? (this.#firstSpots.get(key) ?? spot) : spot
    this.#firstSpots.set(key, first)
    const begun = {
      ...delivery,
      ...first,
      key,
      atMs: this.#nowMs(),
      beganStep: this.#next(),
      handledStep: undefined,
      failedStep: undefined,
    }
    this.deliveries.push(begun)
    const { consumer, tag, body, queueId, queueOffset } = begun
    this.#note(`deliver ${consumer} ${queueId} ${queueOffset} ${tag} ${body}`)
    return begun
  }

  /** A handler has ended well. */
  handled(delivery: Delivery): void {
    delivery.handledStep = this.#next()
    this.#note(`handled ${delivery.consumer} ${delivery.key}`)
  }

  /** A handler has failed. */
  failed(delivery: Delivery): void {
    delivery.failedStep = this.#next()
    this.#note(`failed ${delivery.consumer} ${delivery.key}`)
  }

  /** An operator saw how far the group is. */
  seeCommitted({ queueId, queueOffset }: Spot): void {
    this.committed.push({ queueId, queueOffset, atMs: this.#nowMs(), step: this.#next() })
    this.#note(`committed ${queueId} ${queueOffset}`)
  }

  #next(): number {
    this.#step += 1
    return this.#step
  }
}

/** The body of a message begins with its key. */
export function bodyOf(key: string, filling: string): string {
  return `${key} ${filling}`
}

/** The key that a body begins with; empty when it begins with none. */
export function keyOf(body: string): string {
  return /^[a-z]+-\d+\/\d+(?= )/.exec(body)?.[0] ?? ''
}
