/**
 * The life of a store with a key index, and a model of what it stored. After each start, queries
 * must find what is in the log, and Apache's broker in the files what it takes for granted there.
 */
import { messageKeyHash } from '@rockhopper/protocol'
import { expect } from 'vitest'
import { ApacheKeyIndex } from './apache-key-index.ts'
import { KeyScene, keyed, smallIndex } from './key-scene.ts'

/** Some have the same hash, and one is not ASCII. */
export const KEYS = ['a', 'b', 'Aa', 'BB', 'ü']
const MANY = 100_000

interface Stored {
  readonly logOffset: number
  readonly keys: readonly string[]
}

export class KeyLife {
  readonly scene: KeyScene
  #stored: Stored[] = []
  #count = 0

  constructor(flushDisk: 'sync' | 'async', seed: number) {
    const keyIndex = { ...smallIndex, maxMessages: MANY }
    const config = { flushDisk, tailMemoryBytes: 8 * 1024, keyIndex } as const
    this.scene = new KeyScene(config, seed, { disk: { shortCallChance: 0.05 } })
  }

  /** Starts again what was stopped or killed; `lost`: what was not synced is gone. */
  async startAfter(end: 'stop' | 'kill' | 'lost' | 'random'): Promise<void> {
    const { host } = this.scene
    if (end === 'stop') await this.scene.close()
    else if (end === 'kill') host.kill()
    else host.crash({ bytes: end, names: end })
    host.disk.clearFaults()
    const apache = ApacheKeyIndex.load(this.scene, smallIndex, true)
    if (end !== 'stop') host.restart()
    await this.scene.open()
    const { writtenOffset } = this.scene.store.runtime()
    this.#stored = this.#stored.filter(({ logOffset }) => logOffset < writtenOffset)
    this.#checkAsApache(apache, apache.endOffset)
    await this.check()
    expect(this.scene.world.lines.filter(({ sentence }) => /anew/.test(sentence))).toEqual([])
  }

  /** Queries find what is in the log. */
  async check(): Promise<void> {
    for (const key of KEYS) {
      const found = await this.scene.found(key, { maxMessages: MANY })
      expect(found).toEqual(await this.scene.inLog(key))
    }
  }

  put(keys: readonly string[], bodyBytes: number): void {
    this.#count += 1
    const body = Buffer.from(`${this.#count} `.padEnd(bodyBytes, 'x'))
    const message = keyed(`id-${this.#count}`, keys.join(' '), { body })
    this.#stored.push({ logOffset: this.scene.append(message).logOffset, keys })
  }

  /** After an orderly stop Apache would find everything, and nothing else. */
  async stopForApache(): Promise<void> {
    this.scene.host.disk.clearFaults()
    await this.scene.world.clock.advance(5_000)
    await this.scene.close()
    const apache = ApacheKeyIndex.load(this.scene, smallIndex, false)
    expect(apache.endOffset).toBe(this.#stored.at(-1)?.logOffset ?? 0)
    for (const key of KEYS) {
      expect(apache.find('TopicTest', key)).toEqual(this.#offsetsOf(key, Number.POSITIVE_INFINITY))
    }
  }

  /** Apache does not add again what lies before `endOffset`: all of that must be there. */
  #checkAsApache(apache: ApacheKeyIndex, endOffset: number): void {
    for (const key of KEYS) {
      const found = apache.find('TopicTest', key)
      expect(found).toEqual(expect.arrayContaining(this.#offsetsOf(key, endOffset)))
    }
  }

  /** Where messages with the hash of a key are, before `endOffset`. */
  #offsetsOf(key: string, endOffset: number): number[] {
    const hash = messageKeyHash('TopicTest', key)
    return this.#stored
      .filter(({ keys }) => keys.some((each) => messageKeyHash('TopicTest', each) === hash))
      .map(({ logOffset }) => logOffset)
      .filter((logOffset) => logOffset < endOffset)
  }
}
