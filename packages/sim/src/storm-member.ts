/**
 * A consumer of a storm: it joins its group, leaves it, and dies, again and again. Owns its present
 * life: the consumer, and the handlers that run.
 */
import {
  ClientError,
  type ConsumerOptions,
  PushConsumer,
  type ReceivedMessage,
} from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import type { SimHost } from './host.ts'
import { keyOf } from './message-key.ts'
import type { SimRandom } from './random.ts'
import type { StormDelivery, StormHistory } from './storm-history.ts'

const START_AGAIN_MS = 500
const SLOW_CHANCE = 0.3
const SLOW_MS: readonly [number, number] = [1, 100]
const SLUGGISH_CHANCE = 0.01
const SLUGGISH_MS: readonly [number, number] = [500, 3_000]

export interface StormMemberParts {
  readonly host: SimHost
  readonly group: string
  readonly isOrderly: boolean
  readonly namesrvAddr: string
  readonly topics: readonly string[]
  readonly random: SimRandom
  readonly history: StormHistory
  /** How often (0 to 1) a handler fails. */
  readonly failureChance: number
  /** Options that differ from the defaults. */
  readonly options: Partial<ConsumerOptions>
  /** Stands between its process and the doors. */
  readonly doors: (doors: Host, hostName: string) => Host
}

interface Life {
  readonly name: string
  readonly consumer: PushConsumer
  readonly running: Set<StormDelivery>
  isStarted: boolean
}

export class StormMember {
  readonly host: SimHost
  readonly group: string
  readonly #parts: StormMemberParts
  #lives = 0
  #life: Life | undefined
  /** Lives that leave, and may be busy with that. */
  readonly #leaving = new Set<Life>()

  constructor(parts: StormMemberParts) {
    this.host = parts.host
    this.group = parts.group
    this.#parts = parts
  }

  /** What its present life, or its last one, is called. */
  get lifeName(): string {
    return `${this.host.name}/${this.#lives}`
  }

  /** Whether it is, or tries to become, a member of its group. */
  get isJoined(): boolean {
    return this.#life !== undefined
  }

  /** Whether it has joined and has not left. */
  get isMember(): boolean {
    return this.#life?.isStarted ?? false
  }

  /** Names of the queues that it has at present. */
  get queues(): readonly string[] {
    return this.#life?.consumer.queues.map(queueName) ?? []
  }

  /** Joins the group from the process that is there, or from a new one. Rejects on a bug. */
  async join(): Promise<void> {
    const given = this.host.running ? this.host.doors : this.host.restart()
    const doors = this.#parts.doors(given, this.host.name)
    this.#lives += 1
    const life = this.#newLife(doors)
    this.#life = life
    for (;;) {
      try {
        await life.consumer.start()
        life.isStarted = true
        return
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
        if (this.#life !== life) return
        if (!error.retryable) throw error
        await pause(doors.clock, START_AGAIN_MS)
      }
    }
  }

  /** Leaves the group in order. */
  async leave(): Promise<void> {
    const life = this.#life
    this.#life = undefined
    if (life === undefined) return
    this.#leaving.add(life)
    await life.consumer.close()
    this.#leaving.delete(life)
  }

  /** Ends the process (kill -9). Gives back the names of the lives that ended with it. */
  kill(): string[] {
    const ended = this.#die()
    if (this.host.running) this.host.kill()
    return ended
  }

  /** Its machine loses power. Gives back the names of the lives that ended with it. */
  crash(): string[] {
    const ended = this.#die()
    this.host.crash()
    return ended
  }

  #die(): string[] {
    const lives = [...this.#leaving, ...(this.#life === undefined ? [] : [this.#life])]
    for (const { running } of lives) {
      for (const delivery of running) this.#parts.history.end(delivery, 'cut short')
    }
    this.#leaving.clear()
    this.#life = undefined
    return lives.map(({ name }) => name)
  }

  #newLife(doors: Host): Life {
    const { group, isOrderly, namesrvAddr, options, topics } = this.#parts
    const consumer = new PushConsumer({
      ...{ group, namesrvAddr, host: doors, orderly: isOrderly },
      consumeFromWhere: 'first',
      ...options,
    })
    const life = {
      name: this.lifeName,
      consumer,
      running: new Set<StormDelivery>(),
      isStarted: false,
    }
    for (const topic of topics) {
      consumer.subscribe(topic, '*', (message) => this.#handle(life, doors, message))
    }
    return life
  }

  async #handle(life: Life, { clock }: Host, message: ReceivedMessage): Promise<void> {
    const { failureChance, group, history, random } = this.#parts
    const delivery = history.deliver({
      group,
      member: life.name,
      key: keyOf(message.body.toString()),
      queue: queueName(message.queue),
      queueOffset: message.queueOffset,
    })
    life.running.add(delivery)
    if (random.chance(SLUGGISH_CHANCE)) await pause(clock, random.between(...SLUGGISH_MS))
    else if (random.chance(SLOW_CHANCE)) await pause(clock, random.between(...SLOW_MS))
    const fails = random.chance(failureChance)
    life.running.delete(delivery)
    history.end(delivery, fails ? 'failed' : 'handled')
    if (fails) throw new Error('the application failed, as applications do')
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
export function brokerOf(queue: string): string {
  return queue.split(' ')[1] ?? ''
}
