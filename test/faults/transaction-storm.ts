/**
 * Transactions that are committed, rolled back, or known only when somebody asks, while the broker and
 * the producers are killed again and again, each producer followed by another of its group. Then it is
 * quiet, open transactions are asked about, and what became of all of them is judged. Owns the
 * processes and what consumers were given.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AdminClient, updateTopic } from '@rockhopper/admin'
import { PushConsumer } from '@rockhopper/client'
import { type Host, nodeHost, pause } from '@rockhopper/host'
import { topicConfig } from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { type Finding, SimRandom } from '@rockhopper/sim'
import { ServerProcess } from '../cluster/server-process.ts'
import { freePort } from '../processes/port.ts'
import { boundsOf, messagesOf, type PullOptions } from './queue-pulls.ts'
import { FIRST_CHECK_MS, fateOf } from './transaction-fates.mjs'
import { type HalfSeen, judgeTransactions, openOf } from './transaction-judge.ts'
import { TransactionProcess } from './transaction-process.ts'

const TOPIC = 'settled'
const QUEUES = 4
const PORTS = { lowest: 24_500, highest: 24_990 }
const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC'
const OP_TOPIC = 'RMQ_SYS_TRANS_OP_HALF_TOPIC'
const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC'
const LOOK_MS = 300
const PROGRESS_LOOK_MS = 10
/** Far beyond what it takes, for machines that are busy with other things. */
const PROGRESS_LIMIT_MS = 60_000
const SETTLE_LIMIT_MS = 120_000
/** What is killed stays away so long at the most. */
const ABSENCE_MS = 500

export interface TransactionStormOptions {
  readonly transactions: number
  /** How often the broker is killed, and how often a producer. */
  readonly kills: number
  readonly producers: number
  readonly seed: number
}

export interface TransactionStormReport {
  readonly findings: readonly Finding[]
  readonly begun: number
  /** Half messages that were acknowledged. */
  readonly stored: number
  readonly committed: number
  readonly rolledBack: number
  /** Of those: how many were known only when a producer was asked. */
  readonly unknown: number
  readonly asked: number
  readonly visible: number
  readonly brokerKills: number
  readonly producerKills: number
  readonly durationMs: number
  /** Where the servers have their files. */
  readonly folder: string
}

export async function transactionStorm(
  options: TransactionStormOptions,
): Promise<TransactionStormReport> {
  const folder = mkdtempSync(
    join(process.env['FAULTS_FOLDER'] ?? tmpdir(), 'rockhopper-transactions-'),
  )
  const storm = new TransactionStorm(options, folder)
  try {
    const report = await storm.play()
    if (report.findings.length === 0) rmSync(folder, { recursive: true, force: true })
    return report
  } finally {
    await storm.close()
  }
}

class TransactionStorm {
  readonly #options: TransactionStormOptions
  readonly #folder: string
  readonly #random: SimRandom
  readonly #host: Host = nodeHost()
  readonly #remoting = new RemotingClient(this.#host)
  readonly #delivered: string[] = []
  /** Each place has one that runs; those that were killed stay in the list. */
  readonly #running: TransactionProcess[] = []
  readonly #all: TransactionProcess[] = []
  #namesrv: ServerProcess | undefined
  #broker: ServerProcess | undefined
  #consumer: PushConsumer | undefined
  #kills = { broker: 0, producer: 0 }

  constructor(options: TransactionStormOptions, folder: string) {
    this.#options = options
    this.#folder = folder
    this.#random = new SimRandom(options.seed)
  }

  async play(): Promise<TransactionStormReport> {
    const startMs = this.#nowMs
    const broker = await this.#startServers()
    await this.#startClients()
    const { kills, transactions } = this.#options
    for (let kill = 0; kill < kills; kill++) {
      const share = (kill + this.#random.between(0.1, 1)) / (kills + 1)
      await this.#untilStored(Math.floor(transactions * share))
      await this.#kill(broker)
    }
    await this.#untilStored(transactions)
    await Promise.all(this.#running.map((running) => running.quieten()))
    await this.#settle()
    return await this.#judge(startMs)
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.map((running) => running.kill()))
    await this.#consumer?.close()
    this.#remoting.close()
    await this.#broker?.kill()
    await this.#namesrv?.kill()
  }

  async #startServers(): Promise<ServerProcess> {
    const folder = this.#folder
    const namesrv = new ServerProcess({
      ...{ program: 'mqnamesrv', port: await freePort(PORTS), folder },
      settings: { kvConfigPath: join(folder, 'kvConfig.json') },
    })
    this.#namesrv = namesrv
    const broker = new ServerProcess({
      ...{ program: 'mqbroker', port: await freePort(PORTS), folder },
      settings: {
        ...{ brokerName: 'broker-a', brokerIP1: '127.0.0.1', namesrvAddr: namesrv.address },
        storePathRootDir: join(folder, 'store'),
        ...{ mappedFileSizeCommitLog: '4194304', flushConsumerOffsetInterval: '500' },
        ...{ transactionTimeOut: String(FIRST_CHECK_MS), transactionCheckInterval: '700' },
        // Nobody is given up: each of them is known in the end.
        ...{ transactionOpBatchInterval: '1000', transactionCheckMax: '1000' },
      },
    })
    this.#broker = broker
    for (const server of [namesrv, broker]) await server.start()
    await this.#createTopic(TOPIC, QUEUES)
    return broker
  }

  async #createTopic(topic: string, queues: number): Promise<void> {
    const config = topicConfig(topic, { readQueueNums: queues, writeQueueNums: queues })
    const { attributes: _, ...wanted } = config
    const admin = new AdminClient(this.#host, { nameServers: [this.#namesrv?.address ?? ''] })
    await updateTopic(admin, { brokerAddr: this.#broker?.address ?? '' }, wanted)
  }

  async #startClients(): Promise<void> {
    const namesrvAddr = this.#namesrv?.address ?? ''
    const group = 'settled-readers'
    const consumer = new PushConsumer({
      ...{ group, host: this.#host, namesrvAddr, consumeFromWhere: 'first' },
    })
    consumer.subscribe(TOPIC, '*', ({ body }) => {
      this.#delivered.push(body.toString())
    })
    this.#consumer = consumer
    await consumer.start()
    const { producers } = this.#options
    for (let place = 0; place < producers; place++) {
      const name = `producer ${place + 1}`
      const numbers = { first: place, stride: producers }
      const started = { name, folder: this.#folder, namesrvAddr, topic: TOPIC, ...numbers }
      this.#seat(place, new TransactionProcess(started))
    }
  }

  #seat(place: number, started: TransactionProcess): void {
    this.#running[place] = started
    this.#all.push(started)
  }

  async #untilStored(count: number): Promise<void> {
    let known = this.#count('stored')
    let sinceMs = this.#nowMs
    while (known < count) {
      await this.#pause(PROGRESS_LOOK_MS)
      for (const { trouble } of this.#running) if (trouble !== undefined) throw trouble
      const stored = this.#count('stored')
      if (stored > known) sinceMs = this.#nowMs
      known = stored
      if (this.#nowMs < sinceMs + PROGRESS_LIMIT_MS) continue
      const sentence = `no transaction was begun for a minute, behind ${known} of ${count}`
      throw this.#broker?.child.complaint(sentence) ?? new Error(sentence)
    }
  }

  #count(kind: 'asked' | 'begun' | 'stored'): number {
    return this.#all.reduce((sum, running) => {
      running.listen()
      return sum + running[kind].size
    }, 0)
  }

  /** Kills the broker and a producer, one after the other or while the other is away. */
  async #kill(broker: ServerProcess): Promise<void> {
    const kills = [() => this.#killBroker(broker), () => this.#killProducer()]
    if (this.#random.chance(0.5)) kills.reverse()
    const apartMs = this.#random.between(0, 2 * ABSENCE_MS)
    await Promise.all(
      kills.map(async (kill, turn) => {
        await this.#pause(turn * apartMs)
        await kill()
      }),
    )
  }

  async #killBroker(broker: ServerProcess): Promise<void> {
    this.#kills.broker += 1
    await broker.kill()
    await this.#pause(this.#random.between(0, ABSENCE_MS))
    await broker.start()
  }

  async #killProducer(): Promise<void> {
    this.#kills.producer += 1
    const place = this.#random.below(this.#running.length)
    const victim = this.#running[place]
    if (victim === undefined) return
    const name = `producer ${place + 1}, after ${this.#kills.producer} kills`
    await victim.kill()
    await this.#pause(this.#random.between(0, ABSENCE_MS))
    this.#seat(place, victim.successor(name))
  }

  #pause(ms: number): Promise<void> {
    return pause(this.#host.clock, ms)
  }

  /** Waits until no transaction is open and everything is consumed; what is not is judged. */
  async #settle(): Promise<void> {
    const endMs = this.#nowMs + SETTLE_LIMIT_MS
    while (this.#nowMs < endMs) {
      const [halves, over, visible] = await this.#look()
      const consumed = new Set(this.#delivered)
      const isConsumed = visible.every((body) => consumed.has(body))
      if (openOf({ halves, over }).length === 0 && isConsumed) return
      await this.#pause(LOOK_MS)
    }
  }

  /** The half messages there are, those that are done with, and what the topic holds. */
  async #look(): Promise<[HalfSeen[], Set<number>, string[]]> {
    const halves: HalfSeen[] = []
    for await (const { body, queueOffset } of messagesOf(this.#place(HALF_TOPIC), 0)) {
      halves.push({ queueOffset, body: body.toString() })
    }
    const over = new Set<number>()
    for await (const { body } of messagesOf(this.#place(OP_TOPIC), 0)) {
      for (const offset of body.toString().split(',')) if (offset !== '') over.add(Number(offset))
    }
    const visible: string[] = []
    for (let queueId = 0; queueId < QUEUES; queueId++) {
      visible.push(...(await this.#bodies(TOPIC, queueId)))
    }
    return [halves, over, visible]
  }

  #place(topic: string): PullOptions {
    const address = this.#broker?.address ?? ''
    return { remoting: this.#remoting, address, topic, group: 'judge' }
  }

  async #bodies(topic: string, queueId: number): Promise<string[]> {
    const bodies: string[] = []
    // The topic of what was given up is made when something is.
    if ((await boundsOf(this.#place(topic), queueId)).maxOffset === 0) return bodies
    for await (const { body } of messagesOf(this.#place(topic), queueId)) {
      bodies.push(body.toString())
    }
    return bodies
  }

  async #judge(startMs: number): Promise<TransactionStormReport> {
    const [halves, over, visible] = await this.#look()
    for (const running of this.#all) running.listen()
    const all = (kind: 'asked' | 'begun' | 'stored'): Set<number> =>
      new Set(this.#all.flatMap((running) => [...running[kind]]))
    const [begun, stored, asked] = [all('begun'), all('stored'), all('asked')]
    const givenUp = await this.#bodies(GIVEN_UP_TOPIC, 0)
    const findings = judgeTransactions({
      ...{ begun, stored, asked, visible, halves, over, givenUp, delivered: this.#delivered },
    })
    const fates = [...stored].map(fateOf)
    return {
      ...{ findings, folder: this.#folder, durationMs: this.#nowMs - startMs },
      ...{ begun: begun.size, stored: stored.size, asked: asked.size, visible: visible.length },
      committed: fates.filter(({ end }) => end === 'commit').length,
      rolledBack: fates.filter(({ end }) => end === 'rollback').length,
      unknown: fates.filter(({ manner }) => manner === 'when asked').length,
      brokerKills: this.#kills.broker,
      producerKills: this.#kills.producer,
    }
  }

  get #nowMs(): number {
    return this.#host.clock.monotonicMs()
  }
}
