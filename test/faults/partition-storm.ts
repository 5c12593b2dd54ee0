/**
 * A cluster and its clients on machines of their own, under load, while the network between them is
 * cut, pattern by pattern, and healed: how soon everything works again, whether what was acknowledged
 * as safe was safe at every time, and whether all of it is there in the end. Owns what was seen.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AdminClient, updateTopic } from '@rockhopper/admin'
import { every, type Host, type Loop, nodeHost, pause } from '@rockhopper/host'
import { decodeKvTable, GET_BROKER_RUNTIME_INFO, topicConfig } from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { BROKERS, type BrokerFile } from './cluster-under-test.ts'
import { nowMs } from './consumer-process.ts'
import { type PartitionClient, PartitionCluster } from './partition-cluster.ts'
import type { ClientFacts, LoadFigures } from './partition-facts.ts'
import { type Healing, HealWatch, liesIn, queueName } from './partition-judge.ts'
import { PartitionNetwork } from './partition-network.ts'
import { type Pattern, turnsOf } from './partition-patterns.ts'
import { boundsOf } from './queue-pulls.ts'
import { ReplicaBooks } from './replica-books.ts'

const TOPIC = 'numbers'
const QUEUES = 4
const SLAVES = [
  ['broker-a', 'broker-a-s'],
  ['broker-b', 'broker-b-s'],
] as const
const LOOK_MS = 50
/** So soon after the network everything is to work again. */
export const HEAL_LIMIT_MS = 10_000
/** So long it is looked how late it is. */
const WATCH_LIMIT_MS = 90_000
/** Between one pattern and the next. */
const CALM_MS = 2_000
/** What a slave has received it puts into its queues so soon. */
const DISPATCH_LIMIT_MS = 5_000
const SETTLE_LIMIT_MS = 180_000
const REQUEST_TIMEOUT_MS = 30_000

export interface PartitionStormOptions {
  readonly patterns: readonly Pattern[]
  /** How long each pattern lasts. */
  readonly seconds: number
  readonly perSecond: number
  /** Takes what is known of a pattern as soon as it is over. */
  readonly say: (outcome: PatternOutcome) => void
  /** Takes why a pattern is not played. */
  readonly skip: (pattern: Pattern, obstacle: string) => void
}

export interface PatternOutcome {
  readonly name: string
  /** While it was cut. */
  readonly acknowledged: number
  readonly lessSafe: number
  /** How long the same took just before, with a network that was whole: how busy the machine is. */
  readonly calm: Healing
  readonly healing: Healing
  readonly findings: readonly string[]
}

export interface PartitionStormReport {
  /** What is not as it should be, in sentences. */
  readonly findings: readonly string[]
  readonly acknowledged: number
  readonly lessSafe: number
  readonly delivered: number
  readonly repeats: number
  readonly load: LoadFigures
  readonly compared: number
  readonly folder: string
}

export async function partitionStorm(
  options: PartitionStormOptions,
): Promise<PartitionStormReport> {
  const base = process.env['FAULTS_FOLDER'] ?? tmpdir()
  const folder = mkdtempSync(join(base, 'rockhopper-partitions-'))
  const network = await PartitionNetwork.open()
  const cluster = await PartitionCluster.open(network, folder)
  const stage = new Stage(folder, network, cluster)
  try {
    await stage.begin(options.perSecond)
    for (const pattern of options.patterns) {
      const obstacle = await network.obstacle(pattern)
      if (obstacle === undefined) options.say(await stage.play(pattern, options.seconds * 1_000))
      else options.skip(pattern, obstacle)
    }
    const report = await stage.end()
    if (report.findings.length === 0) rmSync(folder, { recursive: true, force: true })
    else cluster.writeLogs()
    return report
  } catch (error) {
    cluster.writeLogs()
    throw error
  } finally {
    await stage.close()
  }
}

class Stage {
  readonly #folder: string
  readonly #network: PartitionNetwork
  readonly #cluster: PartitionCluster
  readonly #host: Host = nodeHost()
  readonly #remoting = new RemotingClient(this.#host)
  readonly #books = new ReplicaBooks(TOPIC)
  readonly #findings: string[] = []
  /** Behind the last message of each queue that was acknowledged as safe. */
  readonly #safeEnds = new Map<string, number>()
  #clients: { producer: PartitionClient; consumer: PartitionClient } | undefined
  #listening: Loop | undefined
  #watch: HealWatch | undefined

  constructor(folder: string, network: PartitionNetwork, cluster: PartitionCluster) {
    this.#folder = folder
    this.#network = network
    this.#cluster = cluster
  }

  /** Creates the topic and starts the clients; resolves when the slaves have what is sent. */
  async begin(perSecond: number): Promise<void> {
    const nameServers = this.#cluster.namesrvAddr.split(';')
    const admin = new AdminClient(this.#host, { nameServers })
    const config = topicConfig(TOPIC, { readQueueNums: QUEUES, writeQueueNums: QUEUES })
    const { attributes: _, ...wanted } = config
    await updateTopic(admin, { clusterName: 'DefaultCluster' }, wanted)
    const env = { STORM_TOPIC: TOPIC, STORM_RATE: String(perSecond) }
    const take = (facts: ClientFacts): void => this.#take(facts)
    const consumer = await this.#cluster.client('consumer', env, take)
    const producer = await this.#cluster.client('producer', env, take)
    this.#clients = { consumer, producer }
    const fail = (error: unknown): void => {
      this.#findings.push(String(error))
    }
    const listen = (): void => {
      consumer.listen()
      producer.listen()
    }
    this.#listening = every(this.#host.clock, LOOK_MS, listen, fail)
    const healing = await this.#untilHealed(nowMs())
    if (!healing.isOver) throw new Error(`there was no calm to begin with: ${healing.findings(0)}`)
  }

  async play(pattern: Pattern, lengthMs: number): Promise<PatternOutcome> {
    const { name } = pattern
    await pause(this.#host.clock, CALM_MS)
    const { healing: calm } = await this.#untilHealed(nowMs())
    const before = { acknowledged: this.#books.acknowledged, lessSafe: this.#books.lessSafe }
    await this.#network.disturb(pattern)
    const startMs = nowMs()
    let isCut = true
    for (const turnMs of turnsOf(pattern, lengthMs)) {
      await pause(this.#host.clock, startMs + turnMs - nowMs())
      await (isCut ? this.#network.mend(pattern) : this.#network.disturb(pattern))
      isCut = !isCut
    }
    await pause(this.#host.clock, startMs + lengthMs - nowMs())
    const lies = await this.#lies()
    const acknowledged = this.#books.acknowledged - before.acknowledged
    const lessSafe = this.#books.lessSafe - before.lessSafe
    await this.#network.mend(pattern)
    const watch = await this.#untilHealed(nowMs())
    const findings = [...lies, ...watch.findings(HEAL_LIMIT_MS)].map((found) => `${name}: ${found}`)
    this.#findings.push(...findings)
    return { name, acknowledged, lessSafe, calm, healing: watch.healing, findings }
  }

  /** Sends no more, and compares what is there with what was acknowledged. */
  async end(): Promise<PartitionStormReport> {
    const load = await this.#calledClients.producer.tell('stop', ({ stopped }) => stopped)
    await this.#untilDelivered()
    await this.#untilEqual()
    let compared = 0
    for (const broker of BROKERS) compared += await this.#compare(broker)
    const { acknowledged, delivered, lessSafe, repeats } = this.#books
    return {
      ...{ findings: this.#findings, folder: this.#folder, load, compared },
      ...{ acknowledged, delivered, lessSafe, repeats },
    }
  }

  async close(): Promise<void> {
    await this.#listening?.stop()
    this.#remoting.close()
    await this.#cluster.close()
  }

  get #calledClients(): { producer: PartitionClient; consumer: PartitionClient } {
    if (this.#clients === undefined) throw new Error('the clients were not started yet')
    return this.#clients
  }

  #take({ acknowledged = [], atMs = 0, delivered = [] }: ClientFacts): void {
    for (const [number, brokerName, queueId, queueOffset, status] of acknowledged) {
      const queue = { topic: TOPIC, brokerName, queueId }
      this.#books.noteAcknowledged(number, { queue, queueOffset, status })
      const name = queueName(brokerName, queueId)
      const isSafe = status === 'SEND_OK'
      if (isSafe) {
        this.#safeEnds.set(name, Math.max(this.#safeEnds.get(name) ?? 0, queueOffset + 1))
      }
      this.#watch?.acknowledged(number, name, isSafe, atMs)
    }
    for (const [number, brokerName, queueId] of delivered) {
      this.#books.noteDelivered(number)
      this.#watch?.delivered(number, queueName(brokerName, queueId), atMs)
    }
  }

  /** Looks on from the moment at which the network became whole, until everything works or never will. */
  async #untilHealed(healedMs: number): Promise<HealWatch> {
    const firstNumber = await this.#calledClients.producer.tell('mark', ({ next }) => next)
    const ends = SLAVES.map(async ([master, slave]) => [slave, await this.#logEnd(master)] as const)
    const queues = [...eachQueue()].map(({ name }) => name)
    const masterEnds = new Map(await Promise.all(ends))
    const watch = new HealWatch({ healedMs, firstNumber, queues, masterEnds })
    this.#watch = watch
    while (!watch.isOver && nowMs() < healedMs + WATCH_LIMIT_MS) {
      for (const slave of watch.slavesBehind) {
        watch.slaveEnd(slave, await this.#logEnd(slave as BrokerFile), nowMs())
      }
      await pause(this.#host.clock, LOOK_MS)
    }
    this.#watch = undefined
    return watch
  }

  /** What was acknowledged as safe has to be at the slave already. */
  async #lies(): Promise<string[]> {
    const safeEnds = new Map(this.#safeEnds)
    for (const untilMs = nowMs() + DISPATCH_LIMIT_MS; ; ) {
      const seen = [...eachQueue()].map(async ({ name, queueId, slave }) => {
        const place = { remoting: this.#remoting, address: this.#cluster.address(slave) }
        const { maxOffset } = await boundsOf({ ...place, topic: TOPIC, group: 'judge' }, queueId)
        return { queue: name, safeEnd: safeEnds.get(name) ?? 0, slaveEnd: maxOffset }
      })
      const lies = liesIn(await Promise.all(seen))
      if (lies.length === 0 || nowMs() > untilMs) return lies
      await pause(this.#host.clock, LOOK_MS)
    }
  }

  async #untilDelivered(): Promise<void> {
    const untilMs = nowMs() + SETTLE_LIMIT_MS
    while (this.#books.undelivered > 0 && nowMs() < untilMs) {
      await pause(this.#host.clock, 10 * LOOK_MS)
    }
    const { undelivered } = this.#books
    if (undelivered > 0) this.#findings.push(`${undelivered} messages were delivered to nobody`)
  }

  async #untilEqual(): Promise<void> {
    const untilMs = nowMs() + SETTLE_LIMIT_MS
    for (const [master, slave] of SLAVES) {
      for (;;) {
        const [masterEnd, slaveEnd] = [await this.#logEnd(master), await this.#logEnd(slave)]
        if (masterEnd === slaveEnd) break
        if (nowMs() > untilMs) {
          const ends = `ends at ${slaveEnd}, its master's at ${masterEnd}`
          this.#findings.push(`the log of ${slave} ${ends}`)
          break
        }
        await pause(this.#host.clock, 10 * LOOK_MS)
      }
    }
  }

  async #compare(broker: BrokerFile): Promise<number> {
    const place = {
      remoting: this.#remoting,
      address: this.#cluster.address(broker),
      group: 'judge',
    }
    const brokerName = broker.replace(/-s$/, '')
    const { examples, missing, read, wrong } = await this.#books.census(brokerName, QUEUES, place)
    if (missing + wrong > 0) {
      this.#findings.push(`${broker}: ${missing} missing, ${wrong} wrong: ${examples.join('; ')}`)
    }
    return read
  }

  async #logEnd(broker: BrokerFile): Promise<number> {
    const address = this.#cluster.address(broker)
    const options = { timeoutMs: REQUEST_TIMEOUT_MS }
    const { body } = await this.#remoting.request(address, GET_BROKER_RUNTIME_INFO, {}, options)
    return Number(decodeKvTable(body).get('commitLogMaxOffset'))
  }
}

function* eachQueue(): Generator<{ name: string; queueId: number; slave: BrokerFile }> {
  for (const [master, slave] of SLAVES) {
    for (let queueId = 0; queueId < QUEUES; queueId++) {
      yield { name: queueName(master, queueId), queueId, slave }
    }
  }
}
