/** A store on a simulated host, with small segments, and readers of what it holds. */
import { hostAddress, readRecord, type StoredRecord } from '@rockhopper/protocol'
import { createWorld, type SimHost, type SimHostOptions, type SimWorld } from '@rockhopper/sim'
import {
  type Appended,
  type MessageToStore,
  openStore,
  type ReadOutcome,
  type ReadRequest,
  type SettleOutcome,
  type Store,
  type StoreConfig,
} from '@rockhopper/store'

export const ROOT = '/store'
export const SEGMENT_BYTES = 16 * 1024
export const QUEUE_SEGMENT_BYTES = 50 * 20

const bornHost = hostAddress('192.168.1.10', 54_321)
const storeHost = hostAddress('192.168.1.1', 10_911)

export function message(options: Partial<MessageToStore> = {}): MessageToStore {
  return {
    topic: 'TopicTest',
    queueId: 0,
    flag: 0,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000,
    bornHost,
    storeHost,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body: Buffer.from('Hello'),
    properties: [],
    tagsCode: 0,
    ...options,
  }
}

export class StoreScene {
  readonly world: SimWorld
  readonly host: SimHost
  readonly config: StoreConfig
  #store: Store | undefined

  constructor(config: Partial<StoreConfig> = {}, seed = 1, host: SimHostOptions = {}) {
    this.world = createWorld(seed)
    this.host = this.world.host('broker', host)
    this.config = {
      rootDirectory: ROOT,
      commitLogSegmentBytes: SEGMENT_BYTES,
      consumeQueueSegmentBytes: QUEUE_SEGMENT_BYTES,
      flushDisk: 'async',
      flushIntervalMs: 500,
      syncFlushTimeoutMs: 5_000,
      maxMessageBytes: 8 * 1024,
      tailMemoryBytes: 4 * 1024 * 1024,
      ...config,
    }
  }

  static async opened(config: Partial<StoreConfig> = {}, seed = 1): Promise<StoreScene> {
    const scene = new StoreScene(config, seed)
    await scene.open()
    return scene
  }

  get store(): Store {
    if (this.#store === undefined) throw new Error('the store is not open')
    return this.#store
  }

  async open(): Promise<Store> {
    this.#store = await this.settle(openStore(this.host.doors, this.config))
    return this.#store
  }

  async close(): Promise<void> {
    await this.settle(this.store.close())
  }

  async reopen(): Promise<Store> {
    await this.close()
    return this.open()
  }

  /** Kills the process and starts the next one. */
  async reopenAfterKill(): Promise<Store> {
    this.host.kill()
    this.host.restart()
    return this.open()
  }

  /** Cuts the power: nothing that was not synced survives. */
  async reopenAfterPowerCut(fate: 'lost' | 'random' = 'lost'): Promise<Store> {
    this.host.crash({ bytes: fate, names: fate })
    this.host.restart()
    return this.open()
  }

  /** The system dies when its device has everything but these bytes of a file. */
  crashWithout(path: string, at: number, sizeBytes: number): void {
    this.host.disk.makeDurable()
    this.host.crash()
    this.putBytes(path, Buffer.alloc(sizeBytes), at)
    this.host.restart()
  }

  settle<T>(outcome: T | Promise<T>): Promise<T> {
    return this.world.clock.settle(Promise.resolve(outcome))
  }

  /** Appends a message that must be accepted, without waiting for anything. */
  append(options: Partial<MessageToStore> = {}): Appended {
    const outcome = this.store.append(message(options))
    if (outcome.kind !== 'appended') throw new Error(outcome.reason)
    return outcome
  }

  settled({ endOffset }: { readonly endOffset: number }): Promise<SettleOutcome> {
    return this.settle(this.store.settled(endOffset, { waitForFlush: true }))
  }

  /** Appends and waits until it is acknowledged. */
  async put(options: Partial<MessageToStore> = {}): Promise<Appended> {
    const appended = this.append(options)
    const outcome = await this.settled(appended)
    if (outcome !== 'ok') throw new Error(outcome)
    return appended
  }

  /** Messages with numbers as bodies. */
  async putNumbered(
    from: number,
    to: number,
    options: Partial<MessageToStore> = {},
  ): Promise<void> {
    for (let i = from; i < to; i++) await this.put({ ...options, body: Buffer.from(`m${i}`) })
  }

  read(request: Partial<ReadRequest> = {}): Promise<ReadOutcome> {
    const whole = { topic: 'TopicTest', queueId: 0, offset: 0, maxMessages: 32, maxBytes: 1 << 20 }
    return this.settle(this.store.read({ ...whole, ...request }))
  }

  /** Everything in a queue, read in as many requests as it takes. */
  async readAll(topic = 'TopicTest', queueId = 0): Promise<StoredRecord[]> {
    const records: StoredRecord[] = []
    let offset = this.store.queueBounds(topic, queueId).minOffset
    for (;;) {
      const outcome = await this.read({ topic, queueId, offset })
      records.push(...recordsIn(outcome.slices))
      if (outcome.nextOffset <= offset) return records
      offset = outcome.nextOffset
    }
  }

  async bodies(topic = 'TopicTest', queueId = 0): Promise<string[]> {
    return (await this.readAll(topic, queueId)).map(({ body }) => body.toString())
  }

  /** The bytes of a file on the simulated disk. */
  fileBytes(path: string): Buffer {
    const file = this.host.disk.open(path, 'read')
    const bytes = Buffer.alloc(file.sizeBytes())
    for (let done = 0; done < bytes.length; ) done += file.readSync(bytes.subarray(done), done)
    file.close()
    return bytes
  }

  /** Puts bytes into a file as if they had always been there. */
  putBytes(path: string, bytes: Buffer, at = 0): void {
    const file = this.host.disk.open(path, 'create')
    for (let done = 0; done < bytes.length; ) {
      done += file.writeSync([bytes.subarray(done)], at + done)
    }
    file.close()
    this.host.disk.makeDurable()
  }
}

export function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `m${from + i}`)
}

/** Takes slices apart, however many records each has. */
export function recordsIn(slices: readonly Buffer[]): StoredRecord[] {
  const records: StoredRecord[] = []
  for (const slice of slices) {
    for (let at = 0; at < slice.length; ) {
      const record = readRecord(slice, at)
      if (record === undefined) throw new Error(`no record at ${at}`)
      records.push(record)
      at += record.sizeBytes
    }
  }
  return records
}
