/** A store with a key index of small files, and queries that are held against the log itself. */
import { propertyPair, readRecord, recordHasKey } from '@rockhopper/protocol'
import type { Appended, KeyIndexConfig, KeyQuery, MessageToStore } from '@rockhopper/store'
import { message, ROOT, StoreScene } from './scene.ts'

export const INDEX_DIRECTORY = `${ROOT}/index`
export const ALL_TIME: KeyQuery = {
  maxMessages: 64,
  beginTimestamp: 0,
  endTimestamp: Number.MAX_SAFE_INTEGER,
}

export const smallIndex: KeyIndexConfig = {
  enabled: true,
  slotCount: 7,
  entryLimit: 25,
  maxMessages: 64,
}

/** The size of a file of `smallIndex`: header, slots, entries. */
export const SMALL_FILE_BYTES = 40 + 7 * 4 + 25 * 20

export function keyed(unique: string, keys = '', options: Partial<MessageToStore> = {}) {
  const properties = [propertyPair('UNIQ_KEY', unique)]
  if (keys !== '') properties.push(propertyPair('KEYS', keys))
  return message({ body: Buffer.from(unique), properties, ...options })
}

export class KeyScene extends StoreScene {
  static override async opened(
    config: ConstructorParameters<typeof StoreScene>[0] = {},
    seed = 1,
  ): Promise<KeyScene> {
    const scene = new KeyScene({ keyIndex: smallIndex, ...config }, seed)
    await scene.open()
    return scene
  }

  putKeyed(unique: string, keys = '', options: Partial<MessageToStore> = {}): Promise<Appended> {
    return this.put(keyed(unique, keys, options))
  }

  /** Bodies of the messages that a query finds. */
  async found(key: string, query: Partial<KeyQuery> = {}, topic = 'TopicTest'): Promise<string[]> {
    const answer = await this.settle(this.store.queryByKey(topic, key, { ...ALL_TIME, ...query }))
    return answer.records.map((record) => readRecord(record, 0)?.body.toString() ?? '')
  }

  /** Bodies of the messages with a key, by reading all queues of the topic. */
  async inLog(key: string, topic = 'TopicTest', queues = 1): Promise<string[]> {
    const offsets = new Map<number, string>()
    for (let queueId = 0; queueId < queues; queueId++) {
      for (const { body, logOffset } of await this.readAll(topic, queueId)) {
        const record = await this.settle(this.store.messageAt(logOffset))
        if (record !== undefined && recordHasKey(record, topic, key)) {
          offsets.set(logOffset, body.toString())
        }
      }
    }
    return [...offsets].sort(([a], [b]) => a - b).map(([, body]) => body)
  }

  get indexFiles(): string[] {
    return this.host.disk.list(INDEX_DIRECTORY)
  }
}
