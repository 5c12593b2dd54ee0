/**
 * A broker whose volume loses its power again and again, at random moments, while messages are sent
 * to it, and what became of them each time. Owns the counts.
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { nextTurn, pause } from '@rockhopper/host'
import { SimRandom } from '@rockhopper/sim'
import type { Flaws } from './books.ts'
import { FragileVolume } from './fragile-volume.ts'
import type { Lie } from './lies.mjs'
import { Load } from './load.ts'
import { Scene } from './scene.ts'

const PROGRESS_TIMEOUT_MS = 60_000
/** From the first acknowledgement to the loss of power. */
const LONGEST_LIFE_MS = 2_000
/** The share of losses that strike while the broker starts, and how long after its launch. */
const AT_START_SHARE = 0.15
const LONGEST_START_MS = 600

export interface PowerOptions {
  readonly cycles: number
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH'
  readonly seed: number
  readonly lie?: Lie
}

export interface PowerLosses {
  readonly cycles: number
  readonly acknowledged: number
  /** Of the acknowledged messages, those behind the end of their queue after the next start. */
  readonly gone: number
  /** Cycles in which there were such. */
  readonly cyclesWithLoss: number
  /** Cycles after which a message was gone from the log that lay before one that was still there. */
  readonly gaps: number
  /** What is wrong with the messages that were left. */
  readonly flaws: Flaws
  /** The first of those things, in words. */
  readonly examples: readonly string[]
  /** From the start of the process to the end of recovery. */
  readonly recoveryMs: readonly number[]
  readonly folder: string
}

/** Rejects, and keeps the folder, when the broker does not come back. */
export async function losePower(options: PowerOptions): Promise<PowerLosses> {
  let volume: FragileVolume | undefined
  const scene = await Scene.open({
    flushDiskType: options.flushDiskType,
    prepareStore: (store) => {
      volume = new FragileVolume(`${store}.img`, store)
    },
  })
  if (volume === undefined) throw new Error('there is no volume')
  let isGood = false
  const cuts = new PowerCuts(scene, volume, options)
  try {
    const losses = await cuts.run()
    const { cyclesWithLoss, gaps } = losses
    const flaws = Object.values(losses.flaws).reduce((sum, count) => sum + count, 0)
    const mayLose = options.flushDiskType === 'ASYNC_FLUSH' || options.lie !== undefined
    isGood = flaws + gaps === 0 && (mayLose || cyclesWithLoss === 0)
    return losses
  } finally {
    await scene.broker.kill()
    await cuts.stop()
    await scene.close()
    volume.close()
    // What a lie was found by is no finding.
    if (isGood || options.lie !== undefined) scene.removeFolder()
  }
}

class PowerCuts {
  readonly #scene: Scene
  readonly #volume: FragileVolume
  readonly #options: PowerOptions
  readonly #random: SimRandom
  readonly #recoveryMs: number[] = []
  #load: Load | undefined
  #gone = 0
  #cyclesWithLoss = 0
  #gaps = 0
  /** Where the queues ended after the last start: what follows is looked at after the next one. */
  #ends: readonly number[] = []

  constructor(scene: Scene, volume: FragileVolume, options: PowerOptions) {
    this.#scene = scene
    this.#volume = volume
    this.#options = options
    this.#random = new SimRandom(options.seed)
  }

  async run(): Promise<PowerLosses> {
    const { books, folder } = this.#scene
    const { cycles } = this.#options
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const told = await this.#cycle(cycle)
      appendFileSync(join(folder, 'cycles.jsonl'), `${JSON.stringify({ cycle, ...told })}\n`)
    }
    await this.#restart(cycles + 1)
    await this.#scene.reader.census()
    await this.#scene.lookUp(this.#random)
    return {
      ...{ cycles, gone: this.#gone, cyclesWithLoss: this.#cyclesWithLoss, gaps: this.#gaps },
      ...{ flaws: books.flaws, examples: books.examples, acknowledged: books.acknowledged.value },
      ...{ recoveryMs: this.#recoveryMs, folder },
    }
  }

  /** Sends no more. */
  async stop(): Promise<void> {
    await this.#load?.stop()
  }

  /** A start, some work, a loss of power, and the way to the next start. */
  async #cycle(cycle: number): Promise<object> {
    const { broker, books } = this.#scene
    const before = books.acknowledged.value
    const strikesAtStart = cycle > 1 && this.#random.chance(AT_START_SHARE)
    const afterMs = this.#random.between(0, strikesAtStart ? LONGEST_START_MS : LONGEST_LIFE_MS)
    if (strikesAtStart) await this.#strikeAtStart(cycle, afterMs)
    else {
      await this.#restart(cycle)
      await this.#strikeAtWork(afterMs)
    }
    await broker.kill()
    this.#volume.unmount()
    this.#volume.mount()
    const acknowledged = books.acknowledged.value - before
    return { strikesAtStart, afterMs, acknowledged, gone: this.#gone }
  }

  async #strikeAtStart(cycle: number, afterMs: number): Promise<void> {
    this.#launch(cycle)
    await pause(this.#scene.host.clock, afterMs)
    await this.#volume.shutDown()
  }

  async #strikeAtWork(afterMs: number): Promise<void> {
    const { books, broker, host, producer } = this.#scene
    const { acknowledged } = books
    const firstNumber = this.#load?.nextNumber ?? 0
    const load = new Load({ clock: host.clock, producer, books, firstNumber })
    this.#load = load
    const timeoutMs = PROGRESS_TIMEOUT_MS
    const begun = await acknowledged.reached(acknowledged.value + 1, { timeoutMs })
    if (!begun) throw broker.child.complaint('acknowledged nothing for a minute')
    await pause(host.clock, afterMs)
    await this.#volume.shutDown()
    await broker.kill()
    await load.stop()
    // Answers that came before the end are still to be read.
    await nextTurn()
  }

  /** Each start believes that the machine was started anew. */
  #launch(cycle: number): void {
    const { lie } = this.#options
    const bootId = `boot-${cycle}`
    this.#scene.broker.launch({ bootId, ...(lie === undefined ? {} : { lie }) })
  }

  /** Starts the broker and compares what it has with the books. */
  async #restart(cycle: number): Promise<void> {
    const { books, broker, host, reader } = this.#scene
    const startMs = host.clock.monotonicMs()
    this.#launch(cycle)
    await broker.untilReady(PROGRESS_TIMEOUT_MS)
    this.#recoveryMs.push(host.clock.monotonicMs() - startMs)
    const bounds = await reader.bounds()
    let lowestGone = Number.POSITIVE_INFINITY
    let highestKept = -1
    let count = 0
    for (const [queueId, { maxOffset }] of bounds.entries()) {
      const forgotten = books.forgetFrom(queueId, maxOffset)
      count += forgotten.count
      lowestGone = Math.min(lowestGone, forgotten.lowestGone)
      highestKept = Math.max(highestKept, forgotten.highestKept)
    }
    this.#gone += count
    if (count > 0) this.#cyclesWithLoss++
    if (lowestGone < highestKept) this.#gaps++
    await reader.census(this.#ends)
    this.#ends = bounds.map(({ maxOffset }) => maxOffset)
  }
}
