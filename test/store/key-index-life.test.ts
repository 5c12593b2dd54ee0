/**
 * Random lives of a store with a key index: after each start, queries find what is in the log, and
 * Apache's broker would find in the files what it takes for granted there.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApacheKeyIndex } from './apache-key-index.ts'
import { KeyScene, keyed, smallIndex } from './key-scene.ts'
import { message } from './scene.ts'

const MANY = 100_000
const KEYS = ['a', 'b', 'Aa', 'BB', 'ü']

type Step =
  | { readonly kind: 'put'; readonly keys: readonly string[]; readonly bodyBytes: number }
  | { readonly kind: 'burst'; readonly keys: readonly string[]; readonly count: number }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'plain' | 'full' | 'checkpoint' | 'stop' | 'kill' | 'cut' }

const keys = fc.array(fc.constantFrom(...KEYS), { maxLength: 4 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('put'), keys, bodyBytes: fc.nat(3000) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('burst'), keys, count: fc.nat(40) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('pause'),
      ms: fc.constantFrom(0, 0.3, 1, 600, 1_100, 11_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('plain', 'full', 'checkpoint', 'stop', 'kill', 'cut'),
    }),
  },
)

interface Stored {
  readonly logOffset: number
  readonly keys: readonly string[]
}

class Life {
  readonly scene: KeyScene
  #stored: Stored[] = []
  #count = 0

  constructor(flushDisk: 'sync' | 'async', seed: number) {
    const keyIndex = { ...smallIndex, maxMessages: MANY }
    const config = { flushDisk, tailMemoryBytes: 8 * 1024, keyIndex } as const
    this.scene = new KeyScene(config, seed, { disk: { shortCallChance: 0.05 } })
  }

  async take(step: Step): Promise<void> {
    const { scene } = this
    switch (step.kind) {
      case 'put':
        return this.#put(step.keys, step.bodyBytes)
      case 'burst':
        for (let i = 0; i < step.count; i++) this.#put(step.keys, 10)
        return
      case 'plain':
        scene.append(message())
        return
      case 'pause':
        return scene.world.clock.advance(step.ms)
      case 'full':
        scene.host.disk.fail({
          operation: 'write',
          pathIncludes: '/index/',
          code: 'ENOSPC',
          times: 3,
        })
        return
      case 'checkpoint':
        return scene.settle(scene.store.checkpoint())
      case 'stop':
        await scene.close()
        return this.#start(false)
      case 'kill':
        scene.host.kill()
        return this.#start(true)
      case 'cut':
        scene.host.crash({ bytes: 'random', names: 'random' })
        return this.#start(true)
    }
  }

  /** After an orderly stop Apache would find everything. */
  async stopForApache(): Promise<void> {
    const { clock } = this.scene.world
    this.scene.host.disk.clearFaults()
    await clock.advance(5_000)
    await this.scene.close()
    this.#check(ApacheKeyIndex.load(this.scene, smallIndex, false), Number.POSITIVE_INFINITY)
  }

  async #start(wasKilled: boolean): Promise<void> {
    const { disk } = this.scene.host
    disk.clearFaults()
    const apache = ApacheKeyIndex.load(this.scene, smallIndex, true)
    if (wasKilled) this.scene.host.restart()
    await this.scene.open()
    const { writtenOffset } = this.scene.store.runtime()
    this.#stored = this.#stored.filter(({ logOffset }) => logOffset < writtenOffset)
    this.#check(apache, apache.endOffset)
    for (const key of KEYS) {
      const found = await this.scene.found(key, { maxMessages: MANY })
      expect(found).toEqual(await this.scene.inLog(key))
    }
  }

  /** Apache does not add again what lies before `endOffset`: all of that must be there. */
  #check(apache: ApacheKeyIndex, endOffset: number): void {
    for (const key of KEYS) {
      const expected = this.#stored
        .filter(({ keys, logOffset }) => keys.includes(key) && logOffset < endOffset)
        .map(({ logOffset }) => logOffset)
      expect(apache.find('TopicTest', key)).toEqual(expect.arrayContaining(expected))
    }
  }

  #put(keys: readonly string[], bodyBytes: number): void {
    this.#count += 1
    const body = Buffer.from(`${this.#count} `.padEnd(bodyBytes, 'x'))
    const message = keyed(`id-${this.#count}`, keys.join(' '), { body })
    this.#stored.push({ logOffset: this.scene.append(message).logOffset, keys })
  }
}

describe.each(['sync', 'async'] as const)('a key index with %s flush', (flushDisk) => {
  it('finds what is in the log, through any life', async () => {
    const lives = fc.asyncProperty(
      fc.nat(),
      fc.array(step, { maxLength: 60 }),
      async (seed, steps) => {
        const life = new Life(flushDisk, seed)
        await life.scene.open()
        for (const each of steps) await life.take(each)
        await life.take({ kind: 'kill' })
        await life.take({ kind: 'stop' })
        await life.stopForApache()
      },
    )
    await fc.assert(lives, { seed: 11, numRuns: 40, endOnFailure: true })
  })
})
