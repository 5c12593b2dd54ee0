/**
 * What a storm plays on: a folder with a name server, a broker that is to die and its store, and
 * the clients. Owns all of them; the folder stays when it is told so, to look into.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DefaultProducer } from '@rockhopper/client'
import { type Host, nodeHost, pause, type Random } from '@rockhopper/host'
import {
  DELETE_TOPIC_IN_BROKER,
  GET_ROUTEINFO_BY_TOPIC,
  QUERY_MESSAGE,
  responseCode,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { ServerProcess } from '../cluster/server-process.ts'
import { freePort } from '../processes/port.ts'
import { Books } from './books.ts'
import { BrokerUnderTest } from './broker-under-test.ts'
import { GroupReader } from './group-reader.ts'
import { recordsIn } from './queue-pulls.ts'

const TOPIC = 'numbers'
const QUEUE_COUNT = 4
const GROUP = 'readers'
const MIB = 1024 * 1024
const PORTS = { lowest: 22_000, highest: 22_990 }
/** Messages that are looked up in the end, and how many of one number there may be. */
const LOOKUPS = 200
const MOST_COPIES = 64
const REQUEST_TIMEOUT_MS = 30_000
const READY_TIMEOUT_MS = 60_000
const ASK_AGAIN_MS = 20
/** A broker that stands still is no reason to give a message up. */
const SEND_TIMEOUT_MS = 30_000
const OFFSET_SAVE_MS = 200
/** What writing and syncing the offsets may take on a busy device, beside the interval. */
const OFFSET_SAVE_TAKES_MS = 1_300

/** Small files, so that each of the points is met often. */
const SETTINGS = {
  brokerName: 'broker-a',
  brokerIP1: '127.0.0.1',
  mappedFileSizeCommitLog: String(MIB),
  mappedFileSizeConsumeQueue: String(20 * 1_000),
  maxHashSlotNum: '2000',
  maxIndexNum: '8000',
  // The broker's disk tells which files are old.
  fileReservedTime: '1',
  deleteWhen: Array.from({ length: 24 }, (_, hour) => hour).join(';'),
  cleanResourceInterval: '100',
  deleteCommitLogFilesInterval: '10',
  deleteConsumeQueueFilesInterval: '10',
  flushConsumerOffsetInterval: String(OFFSET_SAVE_MS),
  maxTransferCountOnMessageInMemory: '1024',
  maxTransferBytesOnMessageInMemory: String(MIB),
}

export interface SceneOptions {
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH'
  /** Called with the folder that the store will be in, before anything is started. */
  readonly prepareStore?: (store: string) => void
  readonly settings?: Readonly<Record<string, string>>
}

export class Scene {
  readonly folder: string
  /** What the broker keeps. */
  readonly store: string
  readonly host: Host
  readonly broker: BrokerUnderTest
  readonly books: Books
  readonly reader: GroupReader
  readonly producer: DefaultProducer
  readonly #remoting: RemotingClient
  readonly #namesrv: ServerProcess

  private constructor(
    folder: string,
    store: string,
    namesrv: ServerProcess,
    broker: BrokerUnderTest,
  ) {
    const host = nodeHost()
    this.folder = folder
    this.store = store
    this.host = host
    this.broker = broker
    this.#namesrv = namesrv
    this.#remoting = new RemotingClient(host)
    this.books = new Books(host.clock, TOPIC, QUEUE_COUNT)
    this.reader = new GroupReader({
      clock: host.clock,
      books: this.books,
      remoting: this.#remoting,
      address: broker.address,
      ...{ topic: TOPIC, queueCount: QUEUE_COUNT, group: GROUP },
      saveWithinMs: OFFSET_SAVE_MS + OFFSET_SAVE_TAKES_MS,
    })
    this.producer = new DefaultProducer({
      ...{ group: 'senders', host, namesrvAddr: namesrv.address, retries: 0 },
      sendTimeoutMs: SEND_TIMEOUT_MS,
    })
  }

  /** Starts the name server and the broker, makes the topic, and kills the broker again. */
  static async open({ flushDiskType, prepareStore, settings }: SceneOptions): Promise<Scene> {
    const folder = mkdtempSync(join(process.env['FAULTS_FOLDER'] ?? tmpdir(), 'rockhopper-faults-'))
    const store = join(folder, 'store')
    mkdirSync(store)
    prepareStore?.(store)
    const namesrv = new ServerProcess({
      ...{ program: 'mqnamesrv', port: await freePort(PORTS), folder },
      settings: { kvConfigPath: join(folder, 'kvConfig.json') },
    })
    const broker = new BrokerUnderTest({
      ...{ port: await freePort(PORTS), folder },
      settings: {
        ...SETTINGS,
        ...{ flushDiskType, namesrvAddr: namesrv.address, storePathRootDir: store },
        ...settings,
      },
    })
    const scene = new Scene(folder, store, namesrv, broker)
    await namesrv.start()
    broker.launch({})
    await broker.untilReady(READY_TIMEOUT_MS)
    await scene.createTopic(TOPIC, QUEUE_COUNT)
    await scene.#untilRouted()
    await scene.producer.start()
    await broker.kill()
    return scene
  }

  async createTopic(topic: string, queueCount: number): Promise<void> {
    const header = { topic, readQueueNums: queueCount, writeQueueNums: queueCount, perm: 6 }
    const { address } = this.broker
    const timeoutMs = REQUEST_TIMEOUT_MS
    await this.#remoting.request(address, UPDATE_AND_CREATE_TOPIC, header, { timeoutMs })
  }

  /** Deletes a topic, behind which the store writes a checkpoint. */
  async deleteTopic(topic: string): Promise<void> {
    const { address } = this.broker
    const timeoutMs = REQUEST_TIMEOUT_MS
    await this.#remoting.request(address, DELETE_TOPIC_IN_BROKER, { topic }, { timeoutMs })
  }

  /** Asks for some of the messages that the last census found, by their keys. */
  async lookUp(random: Random): Promise<void> {
    const { address } = this.broker
    for (let i = 0; i < LOOKUPS; i++) {
      const message = this.books.anyCounted(random)
      if (message === undefined) continue
      const key = String(message.number)
      const times = { beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER }
      const header = { topic: TOPIC, key, maxNum: MOST_COPIES, ...times }
      const timeoutMs = REQUEST_TIMEOUT_MS
      const answer = await this.#remoting.call(address, QUERY_MESSAGE, header, { timeoutMs })
      const found = [...recordsIn(answer.body)].map(({ logOffset }) => logOffset)
      if (!found.includes(message.logOffset)) this.books.noteUnfound(message.number)
    }
  }

  /** Ends everything that runs. */
  async close(): Promise<void> {
    await this.reader.stop()
    this.#remoting.close()
    await this.broker.kill()
    await this.producer.close()
    await this.#namesrv.kill()
  }

  /** For a scene that is closed, unless somebody is to look into it. */
  removeFolder(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #untilRouted(): Promise<void> {
    const { clock } = this.host
    const untilMs = clock.monotonicMs() + READY_TIMEOUT_MS
    const { address } = this.#namesrv
    const timeoutMs = REQUEST_TIMEOUT_MS
    for (;;) {
      const asked = this.#remoting.call(
        address,
        GET_ROUTEINFO_BY_TOPIC,
        { topic: TOPIC },
        { timeoutMs },
      )
      if ((await asked).code === responseCode.SUCCESS) return
      if (clock.monotonicMs() > untilMs) throw this.broker.child.complaint('the topic has no route')
      await pause(clock, ASK_AGAIN_MS)
    }
  }
}
