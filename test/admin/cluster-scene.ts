/** A name server and a broker of ours in a simulated world, applications, and an operator at work. */
import {
  type Broker,
  completeBrokerConfig,
  readBrokerConfig,
  startBroker,
} from '@rockhopper/broker'
import {
  type ConsumerOptions,
  DefaultProducer,
  type Message,
  type ProducerOptions,
  PushConsumer,
  type SendResult,
} from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { allVerbs } from '../../packages/admin/src/commands/all.ts'
import { runAdmin } from '../../packages/admin/src/program.ts'
import type { Printed } from './scene.ts'

export class ClusterScene {
  readonly world: SimWorld = createWorld(7)
  readonly nameServer: string
  readonly brokerAddress: string
  #apps = 0

  private constructor() {
    this.nameServer = `${this.world.host('namesrv').ip}:9876`
    this.brokerAddress = `${this.world.host('broker').ip}:10911`
  }

  static async started(settings = ''): Promise<ClusterScene> {
    const scene = new ClusterScene()
    const { doors } = scene.world.host('namesrv')
    const text = 'bindAddress=0.0.0.0\nlistenPort=9876'
    await scene.settle(startNamesrv(doors, readNamesrvConfig(text, 'the test').values))
    await scene.settle(scene.#startBroker(settings))
    return scene
  }

  settle<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  async send(...messages: readonly Message[]): Promise<void> {
    await this.sendAs({}, ...messages)
  }

  /** The same by a producer with options of its own; what became of each message. */
  async sendAs(
    options: Partial<ProducerOptions>,
    ...messages: readonly Message[]
  ): Promise<SendResult[]> {
    const names = { group: 'senders', namesrvAddr: this.nameServer, host: this.#app() }
    const producer = new DefaultProducer({ ...names, ...options })
    await this.settle(producer.start())
    const results: SendResult[] = []
    for (const message of messages) results.push(await this.settle(producer.send(message)))
    await this.settle(producer.close())
    return results
  }

  /** A member of a group that gets the bodies of a topic; `take` throws for what it cannot consume. */
  async join(
    group: string,
    topic: string,
    filter: string,
    take: (body: string) => void = () => {},
    options: Partial<ConsumerOptions> = {},
  ): Promise<{ consumer: PushConsumer; taken: string[] }> {
    const taken: string[] = []
    const consumer = new PushConsumer({
      ...{ group, namesrvAddr: this.nameServer, host: this.#app() },
      ...{ consumeFrom: 'first', ...options },
    })
    consumer.on('problem', () => {})
    consumer.subscribe(topic, filter, (message) => {
      take(message.body.toString())
      taken.push(message.body.toString())
    })
    await this.settle(consumer.start())
    return { consumer, taken }
  }

  /** Runs mqadmin. */
  async run(...words: readonly string[]): Promise<Printed> {
    let out = ''
    let errors = ''
    const running = runAdmin(allVerbs, [...words, '-n', this.nameServer], {
      host: this.world.host('operator').doors,
      print: (text) => {
        out += text
      },
      complain: (text) => {
        errors += text
      },
      timeText: (timeMs) => `time ${timeMs}`,
      timeOf: (text) => (text.startsWith('time#') ? Number(text.slice(5)) : undefined),
    })
    const exitCode = await this.settle(running)
    return { exitCode, out, errors }
  }

  /** What a verb found out, by its `--json`. */
  async json(...words: readonly string[]): Promise<unknown> {
    const { errors, out } = await this.run(...words, '--json')
    if (errors !== '') throw new Error(errors)
    return JSON.parse(out)
  }

  #app() {
    this.#apps++
    return this.world.host(`app-${this.#apps}`).doors
  }

  #startBroker(settings: string): Promise<Broker> {
    const { doors, ip } = this.world.host('broker')
    const text =
      `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${this.nameServer}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304\n${settings}`
    return startBroker(
      doors,
      completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors),
    )
  }
}

/** Messages of one topic with the tag A and a key each. */
export function messages(topic: string, ...bodies: readonly string[]): Message[] {
  return bodies.map((body) => ({ topic, body, tag: 'A', keys: `key-${body}` }))
}
