/**
 * Two masters and two slaves as processes, under load, while each of the four is killed in turn and
 * started again; and a synchronous master that is killed and loses its disk. In the end every
 * acknowledged message is looked for where it was acknowledged. Owns the clients and what they saw.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AdminClient, updateTopic } from '@rockhopper/admin'
import { DefaultProducer, PushConsumer, type ReceivedMessage } from '@rockhopper/client'
import { type Host, nodeHost, pause } from '@rockhopper/host'
import { decodeKvTable, GET_BROKER_RUNTIME_INFO, topicConfig } from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { BROKERS, type BrokerFile, ClusterUnderTest } from './cluster-under-test.ts'
import { PacedLoad } from './paced-load.ts'
import { type Census, ReplicaBooks } from './replica-books.ts'

const TOPIC = 'numbers'
const QUEUES = 4
const LOOK_MS = 50
/** What is killed stays away so long at the least. */
const ABSENCE_MS = 3_000
/**
 * A message from the slave of a master that was killed must come so soon, and no time without any
 * acknowledgement may be longer, for the other master is there: less than the 30 s after which clients
 * ask for routes again, and more than a busy machine takes.
 */
const SLAVE_READ_LIMIT_MS = 25_000
const GAP_LIMIT_MS = 25_000
const SETTLE_LIMIT_MS = 180_000
const REQUEST_TIMEOUT_MS = 10_000

export interface ClusterStormOptions {
  readonly seconds: number
  readonly perSecond: number
  readonly kills: number
}

export interface ClusterStormReport {
  /** What is not as it should be, in sentences. */
  readonly findings: readonly string[]
  readonly kills: number
  readonly acknowledged: number
  readonly lessSafe: number
  readonly perSecond: number
  readonly failures: number
  /** Of the last send that failed after the retries of the producer. */
  readonly lastFailure: string | undefined
  readonly longestGapMs: number
  readonly delivered: number
  readonly repeats: number
  /** Longest time from the kill of a master to a message read from its slave. */
  readonly slaveReadMs: number
  /** Messages compared, at masters and at slaves. */
  readonly compared: number
  readonly durationMs: number
  readonly folder: string
}

export async function clusterStorm(options: ClusterStormOptions): Promise<ClusterStormReport> {
  return withStage(options.perSecond, (stage) => playKills(stage, options))
}

/** Kills broker-a, deletes what it keeps, and reads everything from its slave. */
export async function lostDisk(
  options: Omit<ClusterStormOptions, 'kills'>,
): Promise<ClusterStormReport> {
  return withStage(options.perSecond, (stage) => playLostDisk(stage, options))
}

async function withStage(
  perSecond: number,
  play: (stage: Stage) => Promise<ClusterStormReport>,
): Promise<ClusterStormReport> {
  const base = process.env['FAULTS_FOLDER'] ?? tmpdir()
  const folder = mkdtempSync(join(base, 'rockhopper-cluster-'))
  const stage = await Stage.open(folder, perSecond)
  try {
    const report = await play(stage)
    if (report.findings.length === 0) await stage.cluster.stop()
    return report
  } finally {
    await stage.close()
    if (stage.isClean) rmSync(folder, { recursive: true, force: true })
  }
}

async function playKills(
  stage: Stage,
  { kills, seconds }: ClusterStormOptions,
): Promise<ClusterStormReport> {
  const startMs = stage.nowMs
  const periodMs = (seconds * 1_000) / (kills + 1)
  for (let kill = 0; kill < kills; kill++) {
    await stage.pauseUntil(startMs + (kill + 1) * periodMs)
    const broker = BROKERS[kill % BROKERS.length] ?? 'broker-a'
    await stage.killAndRestart(broker)
  }
  await stage.pauseUntil(startMs + seconds * 1_000)
  const sentMs = stage.nowMs - startMs
  await stage.quiet()
  await stage.untilEqual()
  await stage.compare(BROKERS, 'all')
  return stage.report(sentMs)
}

async function playLostDisk(
  stage: Stage,
  { seconds }: Omit<ClusterStormOptions, 'kills'>,
): Promise<ClusterStormReport> {
  const startMs = stage.nowMs
  await stage.pauseUntil(startMs + seconds * 1_000)
  stage.cluster.kill('broker-a')
  stage.kills++
  stage.cluster.loseDisk('broker-a')
  await stage.pauseUntil(stage.nowMs + ABSENCE_MS)
  const sentMs = stage.nowMs - startMs
  await stage.quiet()
  await stage.compare(['broker-a-s'], 'safe')
  await stage.readLate('broker-a', 'after the loss')
  // A master that comes back with nothing gets all of it from its slave, which keeps it, too.
  await stage.cluster.start()
  await stage.untilEqual()
  await stage.compare(['broker-a', 'broker-a-s'], 'safe')
  return stage.report(sentMs)
}

/** The cluster with a producer and a consumer. */
class Stage {
  readonly cluster: ClusterUnderTest
  readonly folder: string
  kills = 0
  isClean = false
  readonly #host: Host
  readonly #remoting: RemotingClient
  readonly #books = new ReplicaBooks(TOPIC)
  readonly #findings: string[] = []
  readonly #producer: DefaultProducer
  readonly #consumer: PushConsumer
  readonly #load: PacedLoad
  #slaveReadMs = 0
  #compared = 0

  private constructor(
    folder: string,
    host: Host,
    cluster: ClusterUnderTest,
    clients: { producer: DefaultProducer; consumer: (books: ReplicaBooks) => PushConsumer },
    perSecond: number,
  ) {
    this.folder = folder
    this.#host = host
    this.cluster = cluster
    this.#remoting = new RemotingClient(host)
    this.#producer = clients.producer
    this.#consumer = clients.consumer(this.#books)
    const { clock } = host
    const books = this.#books
    this.#load = new PacedLoad({
      ...{ books, clock, perSecond, producer: this.#producer, topic: TOPIC },
    })
  }

  static async open(folder: string, perSecond: number): Promise<Stage> {
    const host = nodeHost()
    const cluster = await ClusterUnderTest.open(folder)
    try {
      const { namesrvAddr } = cluster
      const admin = new AdminClient(host, { nameServers: [namesrvAddr] })
      const config = topicConfig(TOPIC, { readQueueNums: QUEUES, writeQueueNums: QUEUES })
      const { attributes: _, ...wanted } = config
      await updateTopic(admin, { clusterName: 'DefaultCluster' }, wanted)
      const producer = new DefaultProducer({
        ...{ group: 'senders', host, namesrvAddr, autoBatch: true },
      })
      await producer.start()
      const consumer = (books: ReplicaBooks): PushConsumer => {
        return readerOf(host, namesrvAddr, 'readers', (message) => {
          books.noteDelivered(numberOf(message))
        })
      }
      const stage = new Stage(folder, host, cluster, { producer, consumer }, perSecond)
      await stage.#consumer.start()
      return stage
    } catch (error) {
      cluster.killAll()
      throw error
    }
  }

  get nowMs(): number {
    return this.#host.clock.monotonicMs()
  }

  async pauseUntil(atMs: number): Promise<void> {
    await pause(this.#host.clock, Math.max(0, atMs - this.nowMs))
  }

  /** While a master is away the other one is written, and the slave is read. */
  async killAndRestart(broker: BrokerFile): Promise<void> {
    const isMaster = broker === 'broker-a' || broker === 'broker-b'
    const other = broker === 'broker-a' ? 'broker-b' : 'broker-a'
    const before = this.#load.of(other)
    const killedMs = this.nowMs
    this.cluster.kill(broker)
    this.kills++
    if (isMaster) await this.readLate(broker, `kill ${this.kills}`)
    await this.pauseUntil(killedMs + ABSENCE_MS)
    const untilMs = killedMs + GAP_LIMIT_MS
    while (isMaster && this.#load.of(other) === before && this.nowMs < untilMs) {
      await pause(this.#host.clock, LOOK_MS)
    }
    if (isMaster && this.#load.of(other) === before) {
      this.#findings.push(`nothing was sent to ${other} while ${broker} was away`)
    }
    await this.cluster.start()
  }

  /** A new group reads everything: it must be given messages of a broker whose master is away. */
  async readLate(brokerName: string, occasion: string): Promise<void> {
    const startMs = this.nowMs
    let seen = 0
    const group = `late-${occasion.replaceAll(' ', '-')}`
    const reader = readerOf(this.#host, this.cluster.namesrvAddr, group, ({ queue }) => {
      if (queue.brokerName === brokerName) seen++
    })
    await reader.start()
    while (seen === 0 && this.nowMs < startMs + SLAVE_READ_LIMIT_MS) {
      await pause(this.#host.clock, LOOK_MS)
    }
    await reader.close()
    this.#slaveReadMs = Math.max(this.#slaveReadMs, this.nowMs - startMs)
    if (seen === 0) {
      this.#findings.push(`${occasion}: no message of ${brokerName} came from its slave in time`)
    }
  }

  /** Sends no more, and waits until everything that was acknowledged is delivered. */
  async quiet(): Promise<void> {
    await this.#load.stop()
    const untilMs = this.nowMs + SETTLE_LIMIT_MS
    while (this.#books.undelivered > 0 && this.nowMs < untilMs) {
      await pause(this.#host.clock, 10 * LOOK_MS)
    }
    const { undelivered } = this.#books
    if (undelivered > 0) this.#findings.push(`${undelivered} messages were delivered to nobody`)
  }

  /** Waits until each slave has what its master has. */
  async untilEqual(): Promise<void> {
    const untilMs = this.nowMs + SETTLE_LIMIT_MS
    for (const [master, slave] of [
      ['broker-a', 'broker-a-s'],
      ['broker-b', 'broker-b-s'],
    ] as const) {
      for (;;) {
        const [masterEnd, slaveEnd] = [await this.#logEnd(master), await this.#logEnd(slave)]
        if (masterEnd === slaveEnd && masterEnd > 0) break
        if (this.nowMs > untilMs) {
          this.#findings.push(
            `the log of ${slave} ends at ${slaveEnd}, its master's at ${masterEnd}`,
          )
          break
        }
        await pause(this.#host.clock, 10 * LOOK_MS)
      }
    }
  }

  /** Compares what brokers have with what was acknowledged. */
  async compare(brokers: readonly BrokerFile[], which: 'all' | 'safe'): Promise<void> {
    for (const broker of brokers) {
      const place = {
        remoting: this.#remoting,
        address: this.cluster.address(broker),
        group: 'judge',
      }
      const brokerName = broker.replace(/-s$/, '')
      const census: Census = await this.#books.census(brokerName, QUEUES, place, which)
      this.#compared += census.read
      if (census.missing + census.wrong === 0) continue
      const { examples, missing, wrong } = census
      this.#findings.push(`${broker}: ${missing} missing, ${wrong} wrong: ${examples.join('; ')}`)
    }
  }

  report(sentMs: number): ClusterStormReport {
    const { acknowledged, delivered, lessSafe, repeats } = this.#books
    const { failures, lastError, longestGapMs } = this.#load
    if (longestGapMs > GAP_LIMIT_MS) {
      const why = lastError === undefined ? '' : `; the last error: ${lastError.message}`
      this.#findings.push(`nothing was acknowledged for ${Math.round(longestGapMs)} ms${why}`)
    }
    this.isClean = this.#findings.length === 0
    return {
      ...{ findings: this.#findings, folder: this.folder, kills: this.kills },
      ...{ acknowledged, delivered, failures, lessSafe, longestGapMs, repeats },
      lastFailure: lastError?.message,
      ...{ compared: this.#compared, durationMs: sentMs, slaveReadMs: this.#slaveReadMs },
      perSecond: (acknowledged * 1_000) / sentMs,
    }
  }

  async close(): Promise<void> {
    this.#load.abort()
    await this.#load.stop()
    this.#remoting.close()
    await this.#consumer.close()
    await this.#producer.close()
    this.cluster.killAll()
  }

  async #logEnd(broker: BrokerFile): Promise<number> {
    const address = this.cluster.address(broker)
    const options = { timeoutMs: REQUEST_TIMEOUT_MS }
    const { body } = await this.#remoting.request(address, GET_BROKER_RUNTIME_INFO, {}, options)
    return Number(decodeKvTable(body).get('commitLogMaxOffset'))
  }
}

function readerOf(
  host: Host,
  namesrvAddr: string,
  group: string,
  onMessage: (message: ReceivedMessage) => void,
): PushConsumer {
  const consumer = new PushConsumer({ group, host, namesrvAddr, consumeFromWhere: 'first' })
  return consumer.subscribe(TOPIC, '*', onMessage)
}

function numberOf({ body }: ReceivedMessage): number {
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).readUInt32BE(0)
}
