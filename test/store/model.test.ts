/**
 * Random lives of a store: messages, pauses, orderly stops, kills and power cuts. After each start
 * it must hold what it acknowledged, and every queue must be whole.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { message, StoreScene } from './scene.ts'

const QUEUES = 3

type Step =
  | { readonly kind: 'append'; readonly queueId: number; readonly bodyBytes: number }
  | { readonly kind: 'batch'; readonly queueId: number; readonly count: number }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'checkpoint' | 'stop' | 'kill' | 'cut' }

const queueId = fc.nat(QUEUES - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({ kind: fc.constant('append'), queueId, bodyBytes: fc.nat(3000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('batch'),
      queueId,
      count: fc.nat({ max: 30 }).map((n) => n + 1),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('pause'),
      ms: fc.constantFrom(0, 0.3, 1, 600, 1_100, 11_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('checkpoint', 'stop', 'kill', 'cut') }),
  },
)

/** A message as it was stored; its place in the list is its queue offset. */
interface Stored {
  readonly body: string
  readonly logEnd: number
}

class Life {
  readonly scene: StoreScene
  readonly #queues: Stored[][] = Array.from({ length: QUEUES }, () => [])
  /** Log offset up to which messages were acknowledged. */
  #acknowledged = 0
  #count = 0

  constructor(flushDisk: 'sync' | 'async', seed: number) {
    const config = { flushDisk, tailMemoryBytes: 8 * 1024 } as const
    this.scene = new StoreScene(config, seed, { disk: { shortCallChance: 0.05 } })
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        return this.#append(step.queueId, step.bodyBytes)
      case 'batch':
        return this.#batch(step.queueId, step.count)
      case 'pause':
        return this.scene.world.clock.advance(step.ms)
      case 'checkpoint':
        return this.scene.settle(this.scene.store.checkpoint())
      case 'stop':
        this.#acknowledged = this.scene.store.runtime().appendedOffset
        await this.scene.reopen()
        return this.#check()
      case 'kill':
        await this.scene.reopenAfterKill()
        return this.#check()
      case 'cut':
        this.#acknowledged = this.scene.store.marks.flushed.value
        await this.scene.reopenAfterPowerCut('random')
        return this.#check()
    }
  }

  #append(queueId: number, bodyBytes: number): void {
    const body = this.#body(bodyBytes)
    const { endOffset } = this.scene.append({ queueId, body: Buffer.from(body) })
    this.#queues[queueId]?.push({ body, logEnd: endOffset })
    this.#awaitAcknowledgement(endOffset)
  }

  #batch(queueId: number, count: number): void {
    const bodies = Array.from({ length: count }, () => this.#body(10))
    const entries = bodies.map((body) => message({ body: Buffer.from(body) }))
    const outcome = this.scene.store.appendBatch(message({ queueId }), entries)
    if (outcome.kind !== 'appended') throw new Error(outcome.reason)
    for (const [i, body] of bodies.entries()) {
      const logEnd = outcome.logOffsets[i + 1] ?? outcome.endOffset
      this.#queues[queueId]?.push({ body, logEnd })
    }
    this.#awaitAcknowledgement(outcome.endOffset)
  }

  #body(sizeBytes: number): string {
    this.#count += 1
    return `${this.#count} `.padEnd(sizeBytes, 'x')
  }

  #awaitAcknowledgement(endOffset: number): void {
    const settled = this.scene.store.settled(endOffset, { waitForFlush: true })
    const acknowledge = (outcome: string): void => {
      if (outcome === 'ok') this.#acknowledged = Math.max(this.#acknowledged, endOffset)
    }
    Promise.resolve(settled).then(acknowledge)
  }

  async #check(): Promise<void> {
    for (const [queueId, stored] of this.#queues.entries()) {
      const records = await this.scene.readAll('TopicTest', queueId)
      const offsets = records.map(({ queueOffset }) => queueOffset)
      expect(offsets).toEqual([...offsets.keys()])
      const bodies = records.map(({ body }) => body.toString())
      expect(bodies).toEqual(stored.slice(0, bodies.length).map(({ body }) => body))
      const safe = stored.filter(({ logEnd }) => logEnd <= this.#acknowledged)
      expect(bodies.length).toBeGreaterThanOrEqual(safe.length)
      stored.length = bodies.length
    }
  }
}

describe.each(['sync', 'async'] as const)('a store with %s flush', (flushDisk) => {
  it('keeps what it acknowledged and whole queues through any life', async () => {
    const lives = fc.asyncProperty(
      fc.nat(),
      fc.array(step, { maxLength: 120 }),
      async (seed, steps) => {
        const life = new Life(flushDisk, seed)
        await life.scene.open()
        for (const each of steps) await life.take(each)
        await life.take({ kind: 'kill' })
        await life.take({ kind: 'stop' })
      },
    )
    await fc.assert(lives, { seed: 20, numRuns: 40, endOnFailure: true })
  })
})
