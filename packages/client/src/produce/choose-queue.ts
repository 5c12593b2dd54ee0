/**
 * Which queue the next message goes to: each in turn, and after a failure one of another broker.
 * Source: Apache class TopicPublishInfo; `client.md` section 3.2. Owns whose turn it is.
 */

/** What is chosen from: anything that lies on a broker. */
export interface OnBroker {
  readonly brokerName: string
}

export class QueueChooser<Q extends OnBroker> {
  readonly queues: readonly Q[]
  #last: number

  /** `start` spreads producers that begin at the same time: any whole number from 0. */
  constructor(queues: readonly Q[], start: number) {
    this.queues = queues
    this.#last = start
  }

  /** The queue whose turn it is; undefined when there is none. */
  next(): Q | undefined {
    this.#last = (this.#last + 1) % this.queues.length
    return this.queues[this.#last]
  }

  /** The next queue that is not on `brokerName`; where all are, simply the next. */
  nextAvoiding(brokerName: string): Q | undefined {
    return this.nextOn((name) => name !== brokerName) ?? this.next()
  }

  /** The next queue on a broker that is wanted; undefined when there is none. */
  nextOn(isWanted: (brokerName: string) => boolean): Q | undefined {
    for (let tries = 0; tries < this.queues.length; tries++) {
      const queue = this.next()
      if (queue !== undefined && isWanted(queue.brokerName)) return queue
    }
    return undefined
  }
}
