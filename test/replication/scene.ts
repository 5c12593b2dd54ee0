/** A name server, a master and its slaves on simulated hosts, and a client that speaks by hand. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import { namesrvConfigTable, startNamesrv } from '@rockhopper/namesrv'
import {
  defaultConfig,
  GET_BROKER_RUNTIME_INFO,
  type Header,
  PULL_MESSAGE,
  pullFlag,
  readRecord,
  SEND_MESSAGE_V2,
} from '@rockhopper/protocol'
import { ConnectionError, RemotingClient } from '@rockhopper/remoting'
import { createWorld, type SimHost, type SimWorld } from '@rockhopper/sim'

const PORT = 10_911
export const HA_PORT = 10_912
export const SEGMENT_BYTES = 1_048_576
export const LOG = '/store/commitlog'
const timeoutMs = 40_000

type SendHeader = Header<typeof SEND_MESSAGE_V2.tables.request>
type RunningBroker = Awaited<ReturnType<typeof startBroker>>

export class ReplicationScene {
  readonly world: SimWorld
  readonly #settings = new Map<string, string>()
  readonly #brokers = new Map<string, RunningBroker>()
  #remoting: RemotingClient | undefined

  constructor(seed = 5) {
    this.world = createWorld(seed)
  }

  /** A name server, a master, and as many slaves, all running. */
  static async started(master: string, ...slaves: readonly string[]): Promise<ReplicationScene> {
    const scene = new ReplicationScene()
    await scene.startNameServer()
    await scene.start('master', `brokerRole=ASYNC_MASTER\n${master}`)
    for (const [i, settings] of slaves.entries()) {
      await scene.start(`slave-${i + 1}`, `brokerRole=SLAVE\nbrokerId=${i + 1}\n${settings}`)
    }
    return scene
  }

  host(name: string): SimHost {
    return this.world.host(name)
  }

  async startNameServer(): Promise<void> {
    const { doors, ip } = this.world.host('namesrv')
    const config = { ...defaultConfig(namesrvConfigTable), bindAddress: ip }
    await this.settle(startNamesrv(doors, config))
  }

  /** Starts a broker on the host of that name, with the settings of its last start or with others. */
  async start(name: string, settings = this.#settings.get(name) ?? ''): Promise<void> {
    this.#settings.set(name, settings)
    const { doors, ip } = this.world.host(name)
    const text =
      `brokerName=broker-a\nbrokerIP1=${ip}\nlistenPort=${PORT}\nstorePathRootDir=/store\n` +
      `namesrvAddr=${this.world.host('namesrv').ip}:9876\n` +
      `mappedFileSizeCommitLog=${SEGMENT_BYTES}\n${settings}`
    const config = completeBrokerConfig(readBrokerConfig(lastOf(text), 'the test').values, doors)
    this.#brokers.set(name, await this.settle(startBroker(doors, config)))
  }

  async stop(name: string): Promise<void> {
    const broker = this.#brokers.get(name)
    if (broker !== undefined) await this.settle(broker.close())
  }

  kill(name: string): void {
    this.host(name).kill()
    this.host(name).restart()
  }

  async killAndRestart(name: string): Promise<void> {
    this.kill(name)
    await this.start(name)
  }

  /** Cuts the power: nothing that was not synced survives. */
  losePower(name: string): void {
    this.host(name).crash()
    this.host(name).restart()
  }

  settle<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    return this.world.clock.settle(promise, limitMs)
  }

  advance(ms: number): Promise<void> {
    return this.world.clock.advance(ms)
  }

  sending(topic: string, body: string | Buffer, given: Partial<SendHeader> = {}) {
    const header: SendHeader = {
      producerGroup: 'producers',
      topic,
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId: 0,
      sysFlag: 0,
      bornTimestamp: this.world.clock.nowMs(),
      flag: 0,
      properties: Buffer.from(''),
      ...given,
    }
    const to = this.#address('master')
    return this.#client.call(to, SEND_MESSAGE_V2, header, { body: [Buffer.from(body)], timeoutMs })
  }

  /** The code of the answer. */
  async send(topic: string, body: string | Buffer, given: Partial<SendHeader> = {}) {
    return (await this.settle(this.sending(topic, body, given))).code
  }

  async sendMany(topic: string, from: number, to: number, bodyBytes = 10): Promise<void> {
    const all = Array.from({ length: to - from }, (_, i) => {
      const text = `m${from + i}`
      return this.sending(topic, text.padEnd(bodyBytes, '.'), { queueId: i % 4 })
    })
    await this.settle(Promise.all(all))
  }

  /** Bodies of a queue as a broker gives them, without the padding. */
  async bodies(name: string, topic: string, queueId: number): Promise<string[]> {
    const bodies: string[] = []
    for (let queueOffset = 0; ; ) {
      const header: Header<typeof PULL_MESSAGE.tables.request> = {
        consumerGroup: 'consumers',
        topic,
        queueId,
        queueOffset,
        maxMsgNums: 32,
        sysFlag: pullFlag.subscription,
        suspendTimeoutMillis: 0,
        subscription: '*',
      }
      const answer = await this.#again(() =>
        this.#client.call(this.#address(name), PULL_MESSAGE, header, { timeoutMs }),
      )
      if (answer.body.length === 0) return bodies
      for (let at = 0; at < answer.body.length; ) {
        const record = readRecord(answer.body, at)
        if (record === undefined) throw new Error('the answer is no list of records')
        bodies.push(record.body.toString().replace(/\.+$/, ''))
        at += record.sizeBytes
        queueOffset = record.queueOffset + 1
      }
    }
  }

  async figures(name: string): Promise<ReadonlyMap<string, string>> {
    const { body } = await this.#again(() =>
      this.#client.call(this.#address(name), GET_BROKER_RUNTIME_INFO, {}, { timeoutMs }),
    )
    const { table } = JSON.parse(body.toString()) as { table: Record<string, string> }
    return new Map(Object.entries(table))
  }

  async logEnd(name: string): Promise<number> {
    return Number((await this.figures(name)).get('commitLogMaxOffset'))
  }

  /** Runs until the logs of the two end at the same offset, and expects them to be equal. */
  async untilEqual(one: string, other: string, limitMs = 60_000): Promise<void> {
    const deadlineMs = this.world.clock.monotonicMs() + limitMs
    while ((await this.logEnd(one)) !== (await this.logEnd(other))) {
      if (this.world.clock.monotonicMs() > deadlineMs) {
        const ends = `${await this.logEnd(one)} and ${await this.logEnd(other)}`
        throw new Error(`the logs of ${one} and ${other} still end at ${ends}`)
      }
      await this.advance(100)
    }
    const [names, otherNames] = [one, other].map((name) => this.host(name).disk.list(LOG))
    const shared = names?.filter((name) => otherNames?.includes(name)) ?? []
    if (shared.length === 0) throw new Error(`${one} and ${other} share no file of the log`)
    for (const name of shared) {
      const path = `${LOG}/${name}`
      if (!this.fileBytes(one, path).equals(this.fileBytes(other, path))) {
        throw new Error(`${path} of ${one} is not that of ${other}`)
      }
    }
  }

  fileBytes(host: string, path: string): Buffer {
    const file = this.host(host).disk.open(path, 'read')
    const bytes = Buffer.alloc(file.sizeBytes())
    for (let done = 0; done < bytes.length; ) done += file.readSync(bytes.subarray(done), done)
    file.close()
    return bytes
  }

  /** What a host said of this kind, as one text. */
  said(host: string): string {
    const lines = this.world.lines.filter((line) => line.host === host)
    return lines.map(({ fields, sentence }) => `${sentence} ${JSON.stringify(fields)}`).join('\n')
  }

  /** A connection to a broker that has died meanwhile is noticed with its next use. */
  async #again<T>(call: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.settle(call())
      } catch (error) {
        if (!(error instanceof ConnectionError) || tries === 20) throw error
        await this.advance(500)
      }
    }
  }

  get #client(): RemotingClient {
    this.#remoting ??= new RemotingClient(this.world.host('client').doors)
    return this.#remoting
  }

  #address(name: string): string {
    return `${this.world.host(name).ip}:${PORT}`
  }
}

/** Of a key that stands there twice the last line counts. */
function lastOf(text: string): string {
  const lines = text.split('\n').flatMap((line) => line.trim() || [])
  const byKey = new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line]))
  return [...byKey.values()].join('\n')
}
