/**
 * A broker that is killed again and again, at random moments and at named points, while messages
 * are sent and read as fast as they go, and what became of the messages. Owns the tally of it.
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '@rockhopper/host'
import { ConnectionError, TimeoutError } from '@rockhopper/remoting'
import { SimRandom } from '@rockhopper/sim'
import type { Flaws } from './books.ts'
import type { Orders } from './broker-under-test.ts'
import type { OffsetFlaws } from './group-reader.ts'
import type { Lie } from './lies.mjs'
import { Load } from './load.ts'
import { causeOf, type Fate, reachablePoints } from './plan.ts'
import { Scene } from './scene.ts'
import { Tally } from './tally.ts'

/** Far beyond what it takes, for machines that are busy with other things. */
const PROGRESS_TIMEOUT_MS = 60_000
/** A point that is not met within this time is given up. */
const POINT_TIMEOUT_MS = 15_000
/** Most lives leave so much of the log, that there is something to look at in the end. */
const KEPT_LOG_BYTES = 64 * 1024 * 1024
/** Pause between requests that make the broker save topics and write checkpoints. */
const PROVOCATION_PAUSE_MS = 150
const TRY_AGAIN_MS = 20
/** What a broker said last that did not come by its point. */
const LINES_OF_MISSED = 5
/** After so many lives it says how far it is. */
const PROGRESS_LIVES = 10
const PASSING_TOPIC = 'passing'
/** Points that need such requests, as a broker comes by them seldom on its own. */
const PROVOKED: ReadonlySet<string> = new Set(['checkpoint', 'queue roll', 'topic save'])
/** The share of the lives ending at random that are provoked, too. */
const PROVOKED_SHARE = 0.2

export interface StormOptions {
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH'
  /** How each life of the broker is to end. */
  readonly fates: readonly Fate[]
  /** Of everything that is not said by the fates. */
  readonly seed: number
  /** What the broker's disk does instead of what it is told. */
  readonly lie?: Lie
  /** Called now and then with a line on how far it is. */
  readonly say?: (line: string) => void
}

export interface Aftermath {
  readonly flaws: Flaws & OffsetFlaws
  readonly tally: Tally
  /** The first things that were wrong, in words. */
  readonly examples: readonly string[]
  /** How much older than a kill the offsets were that survived it, in ms at the most. */
  readonly longestSetbackMs: number
  readonly folder: string
}

/** Rejects, and keeps the folder, when the broker does not come back. */
export async function storm(options: StormOptions): Promise<Aftermath> {
  const scene = await Scene.open({ flushDiskType: options.flushDiskType })
  let isGood = false
  const storm = new Storm(scene, options)
  try {
    const aftermath = await storm.run(options.fates, options.say)
    isGood = Object.values(aftermath.flaws).every((count) => count === 0)
    return aftermath
  } finally {
    await scene.broker.kill()
    await storm.stop()
    await scene.close()
    // What a lie was found by is no finding.
    if (isGood || options.lie !== undefined) scene.removeFolder()
  }
}

class Storm {
  readonly #scene: Scene
  readonly #orders: Orders
  readonly #random: SimRandom
  readonly #load: Load
  readonly #tally: Tally
  /** How often the last start changed something on the disk. */
  #changesAtStart = 1

  constructor(scene: Scene, { lie, seed }: StormOptions) {
    const { books, host, producer } = scene
    this.#scene = scene
    this.#orders = lie === undefined ? {} : { lie }
    this.#random = new SimRandom(seed + 1)
    this.#load = new Load({ clock: host.clock, producer, books })
    this.#tally = new Tally(reachablePoints())
  }

  async run(fates: readonly Fate[], say?: (line: string) => void): Promise<Aftermath> {
    const { folder } = this.#scene
    for (const [i, fate] of fates.entries()) {
      await this.#live(fate)
      if ((i + 1) % PROGRESS_LIVES === 0) say?.(this.#tally.progress(this.#flaws()))
    }
    await this.#end()
    const { examples } = this.#scene.books
    const { longestSetbackMs } = this.#scene.reader
    return { flaws: this.#flaws(), tally: this.#tally, examples, longestSetbackMs, folder }
  }

  /** Sends no more. */
  stop(): Promise<void> {
    return this.#load.stop()
  }

  /** One life of the broker. */
  async #live(fate: Fate): Promise<void> {
    const { broker, folder, host, reader } = this.#scene
    this.#tally.begin(causeOf(fate), this.#state())
    const startMs = host.clock.monotonicMs()
    const orders = this.#ordersFor(fate)
    const { ended } = broker.launch(orders)
    if (await this.#isAcknowledging()) {
      this.#changesAtStart = broker.changesAtStart ?? 1
      this.#tally.noteRestart(host.clock.monotonicMs() - startMs)
      this.#tally.beginWork(this.#state())
      await this.#reading()
      await this.#meetFate(fate)
      this.#tally.endWork(this.#state())
    }
    const exitCode = await ended
    if (exitCode !== null) throw broker.child.complaint(`ended with ${exitCode}, see ${folder}`)
    reader.noteKilled()
    await reader.stop()
    const { diedAt } = broker
    const met = fate.kind !== 'doom' || diedAt !== undefined
    this.#tally.end(met, this.#state())
    const said = met ? [] : broker.child.errorLines.slice(-LINES_OF_MISSED)
    const lastError = met ? undefined : this.#load.lastError?.message
    const { acknowledged } = this.#state()
    const story = { fate, orders, diedAt, said, lastError, acknowledged }
    appendFileSync(join(folder, 'lives.jsonl'), `${JSON.stringify(story)}\n`)
  }

  /** A start that is to be killed has only so many changes as the last one had, or about. */
  #ordersFor(fate: Fate): Orders {
    const agedBefore = this.#agedBefore(fate)
    if (fate.kind !== 'doom') return { ...this.#orders, agedBefore }
    const { doom } = fate
    if (doom.point !== 'recovery') return { ...this.#orders, agedBefore, doom }
    const nth = 1 + this.#random.below(this.#changesAtStart)
    return { ...this.#orders, agedBefore, doom: { ...doom, nth } }
  }

  /** Up to where files of the log look old: they hold nothing that was not read. */
  #agedBefore(fate: Fate): number {
    const keptBytes = causeOf(fate) === 'retention' ? 0 : KEPT_LOG_BYTES
    return Math.max(0, this.#scene.reader.readLogOffset - keptBytes)
  }

  /** Whether a message was acknowledged before the process ended. */
  async #isAcknowledging(): Promise<boolean> {
    const { acknowledged } = this.#scene.books
    const reached = acknowledged.reached(acknowledged.value + 1, { timeoutMs: PROGRESS_TIMEOUT_MS })
    const { child } = this.#scene.broker
    const outcome = await Promise.race([reached, child.ended.then(() => 'ended' as const)])
    if (outcome === false) throw child.complaint('acknowledged nothing for a minute')
    return outcome !== 'ended'
  }

  /** Tries until the reader reads, or the broker is dead. */
  async #reading(): Promise<void> {
    const { broker, host, reader } = this.#scene
    while (!(broker.child.hasEnded || (await whileAlive(() => reader.resume())))) {
      await pause(host.clock, TRY_AGAIN_MS)
    }
  }

  async #meetFate(fate: Fate): Promise<void> {
    const { books, broker } = this.#scene
    const { ended } = broker.child
    switch (fate.kind) {
      case 'moment':
        broker.killAfter(fate.afterMs)
        if (this.#random.chance(PROVOKED_SHARE)) await this.#provoke()
        break
      case 'acknowledgement':
        books.alarmAt(books.acknowledged.value + fate.count, () => broker.child.kill())
        await this.#endWithin(fate.withinMs)
        // It would kill the next broker, that came as far, before its point.
        books.cancelAlarm()
        break
      case 'commits':
        await this.#untilCommitted()
        broker.child.kill()
        break
      case 'doom':
        await this.#awaitDoom(fate.doom.point)
    }
    await ended
  }

  async #untilCommitted(): Promise<void> {
    const { broker, host, reader } = this.#scene
    const untilMs = host.clock.monotonicMs() + PROGRESS_TIMEOUT_MS
    while (!(broker.child.hasEnded || reader.hasSafeCommits)) {
      if (host.clock.monotonicMs() > untilMs) throw broker.child.complaint('saw few commits')
      await pause(host.clock, TRY_AGAIN_MS)
    }
  }

  /** Kills a broker that does not come by its point. */
  async #awaitDoom(point: string): Promise<void> {
    const provoked = PROVOKED.has(point) ? this.#provoke() : undefined
    // A start that had fewer changes than expected has been survived.
    await this.#endWithin(point === 'recovery' ? 0 : POINT_TIMEOUT_MS)
    await provoked
  }

  /** Kills the broker if it does not die before. */
  async #endWithin(ms: number): Promise<void> {
    const { broker, host } = this.#scene
    const patience = new AbortController()
    await Promise.race([broker.child.ended, pause(host.clock, ms, patience.signal)])
    patience.abort()
    broker.child.kill()
  }

  /** Has topics saved and checkpoints written until the broker is dead. */
  async #provoke(): Promise<void> {
    const { broker, host } = this.#scene
    while (!broker.child.hasEnded) {
      await pause(host.clock, this.#random.between(0, PROVOCATION_PAUSE_MS))
      await whileAlive(() => this.#scene.createTopic(PASSING_TOPIC, 1))
      await pause(host.clock, this.#random.between(0, PROVOCATION_PAUSE_MS))
      await whileAlive(() => this.#scene.deleteTopic(PASSING_TOPIC))
    }
  }

  /** The last life ends when everything has been counted, and some of it looked up. */
  async #end(): Promise<void> {
    const { broker, reader } = this.#scene
    this.#tally.begin('in the end', this.#state())
    broker.launch(this.#orders)
    if (!(await this.#isAcknowledging())) throw broker.child.complaint('ended by itself')
    await reader.resume()
    await this.#load.stop()
    await reader.stop()
    await reader.census()
    await this.#scene.lookUp(this.#random)
    this.#tally.end(true, this.#state())
  }

  #flaws(): Flaws & OffsetFlaws {
    return { ...this.#scene.books.flaws, ...this.#scene.reader.flaws }
  }

  #state(): { nowMs: number; acknowledged: number; flaws: Flaws & OffsetFlaws } {
    const { books, host } = this.#scene
    const acknowledged = books.acknowledged.value
    return { nowMs: host.clock.monotonicMs(), acknowledged, flaws: this.#flaws() }
  }
}

/** Whether a request was successful. What the broker's death breaks off is no failure. */
async function whileAlive(request: () => Promise<void>): Promise<boolean> {
  try {
    await request()
    return true
  } catch (error) {
    if (error instanceof ConnectionError || error instanceof TimeoutError) return false
    throw error
  }
}
