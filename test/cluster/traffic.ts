/**
 * A producer that sends numbered messages as fast as it can, a consumer that consumes them, and the
 * verdict on what became of them. Owns the clients; they are closed when the test is over.
 */
import { DefaultProducer, PushConsumer } from '@rockhopper/client'
import { audit, type Findings } from './audit.ts'
import { Burst } from './burst.ts'
import { Ledger } from './ledger.ts'
import { createTopic, type Stage } from './stage.ts'

const TOPIC = 'numbers'
const QUEUE_COUNT = 4
const LANES = 512
/** A broker that stands still is no reason to give a message up. */
const SEND_TIMEOUT_MS = 30_000
const PULL_BATCH_SIZE = 1_024
/** Far beyond what it takes, for machines that are busy with other things. */
const PROGRESS_TIMEOUT_MS = 60_000

/** What became of the messages. All but the first three should be 0. */
export interface Verdict extends Findings {
  readonly acknowledged: number
  /** Messages that were consumed more than once. */
  readonly redelivered: number
  /** Acknowledged messages that were not consumed. */
  readonly undelivered: number
  /** Places that were acknowledged for two messages. */
  readonly repeats: number
}

/** A verdict without a flaw. */
export const flawless = { holes: 0, lost: 0, repeats: 0, undelivered: 0, wrong: 0 }

/** The group of the consumer. */
export const GROUP = 'readers'

export class Traffic {
  readonly ledger: Ledger
  readonly topic = TOPIC
  readonly queueCount = QUEUE_COUNT
  readonly #stage: Stage
  readonly #producer: DefaultProducer
  readonly #consumer: PushConsumer
  #burst: Burst | undefined

  private constructor(stage: Stage) {
    const { host, namesrv } = stage
    const namesrvAddr = namesrv.address
    this.#stage = stage
    this.ledger = new Ledger(host.clock)
    this.#producer = new DefaultProducer({
      ...{ group: 'senders', host, namesrvAddr, retries: 0 },
      sendTimeoutMs: SEND_TIMEOUT_MS,
    })
    this.#consumer = new PushConsumer({
      ...{ group: GROUP, host, namesrvAddr, consumeFromWhere: 'first' },
      pullBatchSize: PULL_BATCH_SIZE,
    })
    this.#consumer.subscribe(TOPIC, '*', ({ body, keys }) =>
      this.ledger.noteConsumed(body, keys[0]),
    )
  }

  /** Makes the topic and starts both clients; nothing is sent yet. */
  static async open(stage: Stage): Promise<Traffic> {
    await createTopic(stage, TOPIC, QUEUE_COUNT)
    const traffic = new Traffic(stage)
    stage.test.onTestFinished(() => traffic.close())
    await traffic.#producer.start()
    await traffic.#consumer.start()
    return traffic
  }

  /** Begins to send; `lanes` is how many messages are on their way at a time. */
  send(lanes: number = LANES): Burst {
    const { host } = this.#stage
    this.#burst = new Burst({
      ...{ clock: host.clock, ledger: this.ledger, lanes },
      ...{ producer: this.#producer, topic: TOPIC, firstNumber: this.#burst?.nextNumber ?? 0 },
    })
    return this.#burst
  }

  /** Waits until so many more messages than at present are acknowledged. */
  async untilAcknowledged(more: number): Promise<void> {
    const { acknowledged } = this.ledger
    const point = acknowledged.value + more
    const reached = acknowledged.reached(point, { timeoutMs: PROGRESS_TIMEOUT_MS })
    await this.#stage.broker.whileItRuns(`acknowledgement ${point}`, reached)
  }

  /** Waits until so many more messages than at present are consumed, but not for what is not there. */
  async untilDelivered(more = Number.POSITIVE_INFINITY): Promise<void> {
    const { acknowledged, delivered } = this.ledger
    const point = Math.min(delivered.value + more, acknowledged.value)
    const reached = delivered.reached(point, { timeoutMs: PROGRESS_TIMEOUT_MS })
    await this.#stage.broker.whileItRuns(`the consumption of ${point} messages`, reached)
  }

  /** Ends the sending, waits for the consumer, and holds the queues against the books. */
  async judge(): Promise<Verdict> {
    const { ledger, queueCount, topic } = this
    const { broker, remoting } = this.#stage
    await this.#burst?.stop()
    await this.#consumeAll()
    const queues = { address: broker.address, topic, queueCount }
    const findings = await audit({ remoting, ledger, ...queues })
    const { acknowledged, delivered, redelivered, repeats, wrong } = ledger
    return {
      ...{ ...findings, redelivered, repeats },
      acknowledged: acknowledged.value,
      undelivered: acknowledged.value - delivered.value,
      wrong: findings.wrong + wrong,
    }
  }

  /** What does not come in time is counted by the verdict. */
  async #consumeAll(): Promise<void> {
    const { acknowledged, delivered } = this.ledger
    const timeoutMs = PROGRESS_TIMEOUT_MS
    const all = delivered.reached(acknowledged.value, { timeoutMs })
    await Promise.race([all, this.#stage.broker.child.ended])
  }

  async close(): Promise<void> {
    await this.#burst?.stop()
    await Promise.all([this.#producer.close(), this.#consumer.close()])
  }
}
