/**
 * The life of one store, from one seed: it is opened, worked with and ended in some way, several
 * times over, on a disk that loses and refuses things; after each start it is compared with what it
 * had given its word for. Owns the order of events; the same seed repeats it event for event.
 */
import { DiskError, type Host } from '@rockhopper/host'
import { CorruptionError, openStore, type Store } from '@rockhopper/store'
import type { DiskOperation } from './disk-faults.ts'
import type { SimHost } from './host.ts'
import type { SimRandom } from './random.ts'
import type { RunReport } from './run.ts'
import { MessageMaker } from './store-messages.ts'
import {
  chooseSetting,
  type SettingChoice,
  STORE_ROOT,
  type StoreSetting,
  settingSentence,
} from './store-setting.ts'
import { type Ended, StoreStage } from './store-stage.ts'
import { surveyStore } from './store-survey.ts'
import { StoreWork } from './store-work.ts'

export interface StoreLifeOptions extends SettingChoice {
  /** Stands between the store and its doors: how a test plants a bug. */
  readonly doors?: (doors: Host) => Host
  /** Stands between the store and who works with it, for bugs that are not at the doors. */
  readonly store?: (store: Store) => Store
}

export interface StoreReport extends RunReport {
  readonly appendedCount: number
  readonly acknowledgedCount: number
  readonly openedCount: number
  readonly readCount: number
}

type Death = 'kill' | 'power'

const MAX_STEPS = 80
/** How often a life ends with a bit of a message flipped. */
const SPOILT_CHANCE = 0.3
/** A watcher ends the process after at most so many calls of the disk. */
const MAX_CALLS_OF_WORK = 600
const MAX_CALLS_OF_START = 150
const MAX_CALLS_OF_CLOSE = 60
/** After so many starts that were disturbed, one is left in peace. */
const MAX_DISTURBED_STARTS = 3
const FAILING_AT_START: readonly DiskOperation[] = [
  'sync',
  'write',
  'read',
  'open',
  'setLength',
  'syncDirectory',
]

/** Plays the life of a seed. */
export async function simulateStore(
  seed: number,
  options: StoreLifeOptions = {},
): Promise<StoreReport> {
  const choose = (random: SimRandom): StoreSetting => chooseSetting(random, options)
  const stage = new StoreStage(seed, choose, options.doors)
  await new StoreLife(stage, options.store ?? ((store) => store)).play()
  const { counts, run, setting } = stage
  return {
    ...run.report(settingSentence(setting)),
    appendedCount: counts.appended,
    acknowledgedCount: counts.acknowledged,
    openedCount: counts.opened,
    readCount: counts.read,
  }
}

function flipBit({ disk }: SimHost, path: string, at: number, bit: number): void {
  const file = disk.open(path, 'update')
  const byte = Buffer.alloc(1)
  while (file.readSync(byte, at) === 0);
  byte[0] = (byte[0] ?? 0) ^ (1 << bit)
  file.writeSync([byte], at)
  file.close()
  disk.makeDurable()
}

class StoreLife {
  readonly #stage: StoreStage
  readonly #maker: MessageMaker
  readonly #random: SimRandom
  readonly #wrap: (store: Store) => Store

  constructor(stage: StoreStage, wrap: (store: Store) => Store) {
    const { random, setting } = stage
    this.#stage = stage
    this.#wrap = wrap
    this.#random = random
    const { largestBodyBytes, queueCount, topics } = setting
    this.#maker = new MessageMaker(random.fork(), topics, queueCount, largestBodyBytes)
  }

  async play(): Promise<void> {
    const { findings, setting } = this.#stage
    for (let round = 1; round <= setting.rounds; round++) {
      const store = await this.#start()
      if (store === undefined || findings.length > 0) return
      await this.#work(store)
      if (findings.length > 0) return
    }
    // What was recovered once is recovered the same again.
    for (const how of ['kill', 'power'] as const) {
      if ((await this.#start()) === undefined || findings.length > 0) return
      this.#die(how)
    }
    if ((await this.#start()) === undefined || findings.length > 0) return
    if (this.#random.chance(SPOILT_CHANCE)) await this.#spoil()
  }

  /** Flips a bit of a message: from then on the store must say so, or not deliver it. */
  async #spoil(): Promise<void> {
    const { host, model, setting, world } = this.#stage
    const kept = model.messages[this.#random.below(model.messages.length)]
    if (kept === undefined || kept.logOffset < model.expiredOffset) return
    this.#die('kill')
    const offset = kept.logOffset + this.#random.below(kept.bytes.length)
    const { commitLogSegmentBytes } = setting.config
    const start = offset - (offset % commitLogSegmentBytes)
    const name = String(start).padStart(20, '0')
    flipBit(host, `${STORE_ROOT}/commitlog/${name}`, offset - start, this.#random.below(8))
    this.#stage.tell(`a bit at log offset ${offset} changes`)
    host.restart()
    try {
      const { config } = setting
      const store = await world.clock.settle(openStore(this.#stage.doors(), config))
      await world.clock.settle(surveyStore(this.#stage, this.#wrap(store)))
    } catch (error) {
      if (error instanceof CorruptionError) return
      this.#stage.broke('damage is told as such', String(error))
    }
  }

  /** Opens the store, be it at the third go, and compares it with the model. */
  async #start(): Promise<Store | undefined> {
    const { host } = this.#stage
    for (let attempt = 0; ; attempt++) {
      if (!host.running) host.restart()
      this.#calm()
      if (attempt < MAX_DISTURBED_STARTS) this.#disturbStart()
      const ended = await this.#stage.wait(
        openStore(this.#stage.doors(), this.#stage.setting.config),
      )
      if (ended.kind === 'done') return this.#survey(this.#wrap(ended.value))
      if (ended.kind === 'failed' && !this.#isExcused(ended)) return undefined
      if (ended.kind === 'failed' && this.#random.chance(0.5)) this.#die('kill')
    }
  }

  /** An error of the disk is no surprise when one was arranged. */
  #isExcused({ error }: Ended<Store> & { kind: 'failed' }): boolean {
    const { metFaults } = this.#stage.host.disk
    if (error instanceof DiskError && metFaults.length > 0) return true
    const cause = error instanceof CorruptionError ? `${error.path} ${error.offset}: ` : ''
    this.#stage.broke('a store opens again, however it ended', `${cause}${String(error)}`)
    return false
  }

  /** Makes the process die, or a call fail, within some of the starts. */
  #disturbStart(): void {
    const { host, setting } = this.#stage
    if (this.#random.chance(0.3)) this.#dieInCall(this.#anyDeath(), MAX_CALLS_OF_START)
    if (!setting.hasErrors || this.#random.chance(0.7)) return
    const operation = FAILING_AT_START[this.#random.below(FAILING_AT_START.length)] ?? 'read'
    host.disk.fail({ operation, onCall: 1 + this.#random.below(20), code: 'EIO' })
  }

  async #survey(store: Store): Promise<Store | undefined> {
    const { counts, host } = this.#stage
    const { endOffset } = this.#stage.model
    counts.opened += 1
    if (host.disk.metFaults.some(({ operation }) => operation === 'sync')) {
      this.#stage.broke('an open store has synced what it recovered', 'a sync failed meanwhile')
    }
    this.#calm()
    this.#stage.tell(
      `the store is open: its log ends at ${store.runtime().appendedOffset} of ${endOffset}`,
    )
    const ended = await this.#stage.wait(surveyStore(this.#stage, store))
    if (ended.kind === 'done') return store
    const error = ended.kind === 'failed' ? ended.error : 'the process died'
    this.#stage.broke('what was recovered can be read', String(error))
    return undefined
  }

  /** Uses the store for a while, and ends it. */
  async #work(store: Store): Promise<void> {
    if (this.#random.chance(0.35)) this.#dieInCall(this.#anyDeath(), MAX_CALLS_OF_WORK)
    await new StoreWork(this.#stage, store, this.#maker).run(this.#random.below(MAX_STEPS))
    if (!this.#stage.host.running) return
    if (this.#random.chance(0.45)) await this.#close(store)
    else this.#die(this.#anyDeath())
  }

  async #close(store: Store): Promise<void> {
    const { host, model } = this.#stage
    if (this.#random.chance(0.4)) this.#dieInCall(this.#anyDeath(), MAX_CALLS_OF_CLOSE)
    this.#stage.tell('the store is closed in order')
    const ended = await this.#stage.wait(store.close())
    if (ended.kind === 'died') return
    if (ended.kind === 'failed') this.#stage.broke('a store can be closed', String(ended.error))
    if (host.disk.metFaults.length > 0) return this.#die('kill')
    if (!this.#isFull) model.gaveWord(model.endOffset, 'flushed')
    if (this.#random.chance(0.5)) this.#die(this.#anyDeath())
  }

  get #isFull(): boolean {
    return this.#stage.setting.hasFullDisk
  }

  /** Nothing of the disk is out of order any more. */
  #calm(): void {
    const { disk } = this.#stage.host
    disk.clearFaults()
    disk.setCapacity(this.#stage.setting.capacityBytes)
    disk.syncDelay = [0.2, 0.5]
    disk.readDelay = [0.05, 0.1]
  }

  #anyDeath(): Death {
    return this.#random.chance(0.5) ? 'kill' : 'power'
  }

  #dieInCall(how: Death, mostCalls: number): void {
    let callsLeft = 1 + this.#random.below(mostCalls)
    this.#stage.host.disk.watch(() => {
      callsLeft -= 1
      if (callsLeft === 0) this.#die(how)
    })
  }

  #die(how: Death): void {
    const { host, model, setting } = this.#stage
    if (how === 'kill') {
      this.#stage.tell('the process is killed')
      host.kill()
      return
    }
    this.#stage.tell('the machine loses power')
    host.crash({ names: setting.nameFate })
    model.lostPower()
  }
}
