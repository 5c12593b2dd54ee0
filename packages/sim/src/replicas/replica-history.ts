/**
 * What the applications of a run over masters and slaves did and saw: messages sent and acknowledged,
 * messages delivered, offsets seen committed, machines that lost something. Owns these lists; it judges
 * nothing, that is for `replica-checker.ts`.
 */
import type { Loss } from './replica-mode.ts'

/** A place in a queue: `topic broker-name queue-id`, and the offset there. */
export interface ReplicaSpot {
  readonly queue: string
  readonly queueOffset: number
}

/** What a message carries. */
export interface ReplicaContent {
  /** Its name in the whole run: producer and number; empty when its body has none. */
  readonly key: string
  readonly tag: string
  readonly body: string
}

export interface ReplicaSend extends ReplicaContent {
  readonly producer: string
  readonly beganMs: number
  /** Set when it was answered SEND_OK. */
  acknowledged: (ReplicaSpot & { readonly atMs: number }) | undefined
}

/** One call of a consumer's handler; the spot is that of the message when it came first. */
export interface ReplicaDelivery extends ReplicaSpot, ReplicaContent {
  readonly consumer: string
  readonly atMs: number
  /** Set when the handler has ended well. */
  handledMs: number | undefined
  /** Set when it failed: then the message is given back, and comes again. */
  failedMs: number | undefined
}

/** How far the group was with a queue when an operator asked. */
export interface SeenCommit extends ReplicaSpot {
  readonly atMs: number
}

/** Something that befell a machine or a wire of brokers of that name. */
export interface Disturbance {
  readonly brokerName: string
  readonly fromMs: number
  readonly untilMs: number
}

export class ReplicaHistory {
  readonly sent: ReplicaSend[] = []
  readonly deliveries: ReplicaDelivery[] = []
  readonly commits: SeenCommit[] = []
  readonly losses: Loss[] = []
  readonly disturbances: Disturbance[] = []
  readonly #nowMs: () => number
  readonly #note: (what: string) => void
  /** Where each message that was delivered came from first. */
  readonly #firstSpots = new Map<string, ReplicaSpot>()

  /** `note` is told each entry as a line: two histories are equal when their lines are. */
  constructor(nowMs: () => number, note: (what: string) => void = () => {}) {
    this.#nowMs = nowMs
    this.#note = note
  }

  send(message: Pick<ReplicaSend, 'producer' | keyof ReplicaContent>): ReplicaSend {
    const sent = { ...message, beganMs: this.#nowMs(), acknowledged: undefined }
    this.sent.push(sent)
    this.#note(`send ${sent.key} ${sent.tag} ${sent.body.length}`)
    return sent
  }

  acknowledge(sent: ReplicaSend, { queue, queueOffset }: ReplicaSpot): void {
    sent.acknowledged = { queue, queueOffset, atMs: this.#nowMs() }
    this.#note(`acknowledge ${sent.key} ${queue} ${queueOffset}`)
  }

  /** A handler begins with a message, which may be one that was given back. */
  deliver(
    delivery: Pick<ReplicaDelivery, 'consumer' | keyof ReplicaContent | keyof ReplicaSpot>,
    wasGivenBack = false,
  ): ReplicaDelivery {
    const { body, consumer, key, queue, queueOffset, tag } = delivery
    const own = { queue, queueOffset }
    const spot = wasGivenBack ? (this.#firstSpots.get(key) ?? own) : own
    this.#firstSpots.set(key, spot)
    const open = { handledMs: undefined, failedMs: undefined }
    const begun = { ...delivery, ...spot, ...open, atMs: this.#nowMs() }
    this.deliveries.push(begun)
    this.#note(`deliver ${consumer} ${key} ${tag} ${body.length} ${queue} ${queueOffset}`)
    return begun
  }

  /** A handler has ended well. */
  handled(delivery: ReplicaDelivery): void {
    delivery.handledMs = this.#nowMs()
    this.#note(`handled ${delivery.consumer} ${delivery.key}`)
  }

  /** A handler has failed. */
  failed(delivery: ReplicaDelivery): void {
    delivery.failedMs = this.#nowMs()
    this.#note(`failed ${delivery.consumer} ${delivery.key}`)
  }

  seeCommitted({ queue, queueOffset }: ReplicaSpot): void {
    this.commits.push({ queue, queueOffset, atMs: this.#nowMs() })
    this.#note(`committed ${queue} ${queueOffset}`)
  }

  lose(loss: Omit<Loss, 'atMs'>): void {
    this.losses.push({ ...loss, atMs: this.#nowMs() })
  }

  disturb(brokerName: string, lengthMs: number): void {
    const fromMs = this.#nowMs()
    this.disturbances.push({ brokerName, fromMs, untilMs: fromMs + lengthMs })
  }
}

/** Topic, broker and number of a queue, as one name. */
export function queueName(queue: {
  readonly topic: string
  readonly brokerName: string
  readonly queueId: number
}): string {
  return `${queue.topic} ${queue.brokerName} ${queue.queueId}`
}

/** The broker in the name of a queue. */
export function brokerNameOf(queue: string): string {
  return queue.split(' ')[1] ?? ''
}
