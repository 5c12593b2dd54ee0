/**
 * Which queue the next message goes to: each in turn, and after a failure one of another broker.
 * Source: Apache class TopicPublishInfo; `client.md` section 3.2. Owns the counter.
 */

/** What is chosen from: anything that lies on a broker. */
export interface OnBroker {
  readonly brokerName: string
}

export class QueueChooser<Q extends OnBroker> {
  readonly queues: readonly Q[]
  #counter: number

  /** `start` spreads producers that begin at the same time: any whole number from 0. */
  constructor(queues: readonly Q[], start: number) {
    this.queues = queues
    this.#counter = start
  }

  /** The queue whose turn it is; undefined when there is none. */
  next(): Q | undefined {
    this.#counter = (this.#counter + 1) & 0x7fff_ffff
    return this.queues[this.#counter % this.queues.length]
  }

  /** The next queue that is not on `brokerName`; where all are, simply the next. */
  nextAvoiding(brokerName: string): Q | undefined {
    for (let tries = 0; tries < this.queues.length; tries++) {
      const queue = this.next()
      if (queue?.brokerName !== brokerName) return queue
    }
    return this.next()
  }
}
