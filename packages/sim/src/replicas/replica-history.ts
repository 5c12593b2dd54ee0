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

export interface ReplicaSend {
  /** Its name in the whole run: producer and number. */
  readonly key: string
  readonly beganMs: number
  /** Set when it was answered SEND_OK. */
  acknowledged: (ReplicaSpot & { readonly atMs: number }) | undefined
}

/** One call of a consumer's handler. */
export interface ReplicaDelivery extends ReplicaSpot {
  readonly key: string
  readonly consumer: string
  readonly atMs: number
  /** Set when the handler has ended. */
  handledMs: number | undefined
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

  /** `note` is told each entry as a line: two histories are equal when their lines are. */
  constructor(nowMs: () => number, note: (what: string) => void = () => {}) {
    this.#nowMs = nowMs
    this.#note = note
  }

  send(key: string): ReplicaSend {
    const sent = { key, beganMs: this.#nowMs(), acknowledged: undefined }
    this.sent.push(sent)
    this.#note(`send ${key}`)
    return sent
  }

  acknowledge(sent: ReplicaSend, { queue, queueOffset }: ReplicaSpot): void {
    sent.acknowledged = { queue, queueOffset, atMs: this.#nowMs() }
    this.#note(`acknowledge ${sent.key} ${queue} ${queueOffset}`)
  }

  deliver(
    delivery: Pick<ReplicaDelivery, 'key' | 'consumer' | keyof ReplicaSpot>,
  ): ReplicaDelivery {
    const begun = { ...delivery, atMs: this.#nowMs(), handledMs: undefined }
    this.deliveries.push(begun)
    this.#note(`deliver ${begun.consumer} ${begun.key} ${begun.queue} ${begun.queueOffset}`)
    return begun
  }

  handled(delivery: ReplicaDelivery): void {
    delivery.handledMs = this.#nowMs()
    this.#note(`handled ${delivery.consumer} ${delivery.key}`)
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
