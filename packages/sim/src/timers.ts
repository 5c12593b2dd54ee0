/**
 * A life of delayed messages, from one seed: days of virtual time in which messages are sent that come
 * later, by levels or at times of their own, while their broker is killed, loses power, is stopped, and
 * wall clocks are set forwards and back; then all that waits comes due, and what happened is judged.
 * Owns its world; the same seed repeats it event for event.
 */
import type { Host } from '@rockhopper/host'
import type { SimRandom } from './random.ts'
import { type RunReport, SimRun } from './run.ts'
import type { ServerProcess } from './server-process.ts'
import { BROKER, brokerProcess, type FlushDiskType } from './servers.ts'
import { judgeTimers } from './timer-checker.ts'
import { TimerReader, TimerSender } from './timer-clients.ts'
import { type DeliveredCopy, TimerHistory } from './timer-history.ts'
import { type PlannedOutage, planTimers, type TimerPlan } from './timer-plan.ts'
import type { SimWorld } from './world.ts'

const PORT = 10_911
const LOOK_MS = 20
const START_LIMIT_MS = 60_000
const READ_LIMIT_MS = 60_000
/** Longer than what was due may be late. */
const SETTLE_MS = 10_000
/** Longer than any life: nothing is removed for its age. */
const KEPT_HOURS = 10_000
/** Once in so long, a message that waits longer is stored again; in ms. */
const ROLL_WINDOWS_MS = [172_800_000, 3_600_000, 300_000]
const PRECISIONS_MS = [100, 200, 500, 1_000]
const SAVE_PERIODS_MS = [100, 1_000, 10_000, 120_000]
const FLUSH_PERIODS_MS = [1_000, 5_000]
/** Nothing is old: it need not be looked for often. */
const CLEAN_PERIOD_MS = 600_000

export interface TimerLifeOptions {
  /** How long it lasts, but for what waits at its end; the seed chooses 6 to 60 hours when absent. */
  readonly lengthMs?: number
  /** Stands between a process and its doors: how a test plants a bug. */
  readonly doors?: (doors: Host, hostName: string) => Host
}

export interface TimerReport extends RunReport {
  readonly sentCount: number
  readonly storedCount: number
  readonly deliveredCount: number
  readonly recalledCount: number
  readonly outageCount: number
  readonly jumpCount: number
}

interface Setting {
  readonly flushDiskType: FlushDiskType
  readonly precisionMs: number
  readonly savePeriodMs: number
  readonly flushPeriodMs: number
  readonly rollWindowMs: number
  readonly plan: TimerPlan
}

/** Plays the life of a seed. Never rejects: what goes wrong is in the findings. */
export async function simulateTimers(
  seed: number,
  options: TimerLifeOptions = {},
): Promise<TimerReport> {
  const life = new TimerLife(seed, options)
  await life.play()
  return life.report()
}

class TimerLife {
  readonly #run: SimRun
  readonly #world: SimWorld
  readonly #setting: Setting
  readonly #history: TimerHistory
  readonly #broker: ServerProcess
  readonly #sender: TimerSender
  readonly #reader: TimerReader
  #delivered: readonly DeliveredCopy[] = []

  constructor(seed: number, options: TimerLifeOptions) {
    this.#run = new SimRun(seed)
    const { world } = this.#run
    this.#world = world
    this.#setting = draw(world.random.fork(), options)
    this.#history = new TimerHistory(
      () => world.clock.monotonicMs(),
      world.clock.nowMs(),
      (what) => world.note(what),
    )
    const host = world.host(BROKER)
    this.#broker = brokerProcess(host, '', {
      doors: options.doors ?? ((given) => given),
      flushDiskType: this.#setting.flushDiskType,
      ...{ segmentBytes: 1_048_576, queueSegmentUnits: 200 },
      brokerSettings: settingsOf(this.#setting),
      onFailure: (_, { stack = '' }) => this.#run.find('a broker does not end by itself', stack),
    })
    const address = `${host.ip}:${PORT}`
    this.#sender = new TimerSender(world.host('sender').doors, address, this.#history)
    this.#reader = new TimerReader(world.host('reader').doors, address, this.#history)
  }

  async play(): Promise<void> {
    const { clock } = this.#world
    const { lengthMs } = this.#setting.plan
    await this.#run.play(async () => {
      this.#startBroker()
      await clock.run(() => this.#broker.isUp, START_LIMIT_MS)
      await clock.settle(this.#sender.open(), START_LIMIT_MS)
      this.#begin(clock.monotonicMs())
      await clock.advance(lengthMs)
      await clock.run(() => this.#broker.isUp, 2 * lengthMs)
      await clock.advance(this.#restMs() + SETTLE_MS)
      this.#reader.end()
      this.#delivered = await clock.settle(this.#reader.readAll(), READ_LIMIT_MS)
      this.#judge()
    })
  }

  report(): TimerReport {
    const { sends } = this.#history
    const { jumps, outages } = this.#setting.plan
    return {
      ...this.#run.report(sentenceOf(this.#setting)),
      sentCount: sends.length,
      storedCount: sends.filter(({ storedMs }) => storedMs !== undefined).length,
      deliveredCount: this.#delivered.length,
      recalledCount: sends.filter(({ recalledMs }) => recalledMs !== undefined).length,
      outageCount: outages.length,
      jumpCount: jumps.length,
    }
  }

  #begin(startMs: number): void {
    const { clock } = this.#world
    const { jumps, outages, sends } = this.#setting.plan
    for (const [index, { atMs, recallAtMs, wish }] of sends.entries()) {
      const body = `message-${index + 1}`
      clock.at(startMs + atMs, () => this.#launch(this.#sender.send(body, wish)))
      if (recallAtMs === undefined) continue
      clock.at(startMs + recallAtMs, () => this.#launch(this.#sender.recall(body)))
    }
    for (const outage of outages) {
      clock.at(startMs + outage.fromMs, () => this.#endBroker(outage))
      clock.at(startMs + outage.untilMs, () => this.#startBroker())
    }
    for (const { atMs, byMs } of jumps) clock.at(startMs + atMs, () => this.#setClocks(byMs))
  }

  #startBroker(): void {
    this.#broker.start()
    const look = (): void => {
      if (this.#broker.isUp) this.#serve()
      else this.#world.clock.after(LOOK_MS, look)
    }
    look()
  }

  #serve(): void {
    this.#tell('the broker is up')
    this.#history.brokerIsUp(true)
    this.#sender.renew()
    this.#launch(this.#reader.run())
  }

  #endBroker({ kind, untilMs }: PlannedOutage): void {
    this.#tell(`the broker is away (${kind}) until ${shown(untilMs)}`)
    this.#history.brokerIsUp(false)
    switch (kind) {
      case 'kill':
        return this.#broker.kill()
      case 'power-loss':
        this.#history.powerWasLost()
        return this.#broker.crash()
      case 'stop':
        this.#launch(this.#broker.stop())
    }
  }

  #setClocks(byMs: number): void {
    this.#tell(`all wall clocks are set by ${byMs} ms`)
    this.#world.clock.jumpWall(byMs)
    this.#history.clockWasSet(byMs)
  }

  /** How long it takes until all that waits is due. */
  #restMs(): number {
    const { sends } = this.#history
    const nowMs = this.#world.clock.nowMs()
    const latest = Math.max(nowMs, ...sends.map(({ dueWallMs }) => dueWallMs))
    const spans = sends.map(({ wish }) => (wish.kind === 'level' ? wish.delayMs : 0))
    return Math.max(latest - nowMs, ...spans)
  }

  #judge(): void {
    const { flushDiskType, precisionMs } = this.#setting
    const delivered = this.#delivered
    const isSync = flushDiskType === 'SYNC_FLUSH'
    this.#run.findings.push(
      ...judgeTimers({ history: this.#history, delivered, precisionMs, isSync }),
    )
  }

  #launch(running: Promise<void>): void {
    this.#run.launch(running, 'no request fails while the broker is there')
  }

  #tell(sentence: string): void {
    this.#run.tell(sentence)
  }
}

function draw(random: SimRandom, { lengthMs }: TimerLifeOptions): Setting {
  const picked = (list: readonly number[]): number => list[random.below(list.length)] ?? 0
  return {
    flushDiskType: random.chance(0.5) ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
    precisionMs: picked(PRECISIONS_MS),
    savePeriodMs: picked(SAVE_PERIODS_MS),
    flushPeriodMs: picked(FLUSH_PERIODS_MS),
    rollWindowMs: picked(ROLL_WINDOWS_MS),
    plan: planTimers(random, lengthMs),
  }
}

function settingsOf({ precisionMs, ...others }: Setting) {
  return {
    listenPort: PORT,
    timerPrecisionMs: precisionMs,
    timerRollWindowSlot: Math.min(600_000, others.rollWindowMs / precisionMs),
    flushDelayOffsetInterval: others.savePeriodMs,
    flushIntervalCommitLog: others.flushPeriodMs,
    mappedFileSizeTimerLog: 1_048_576,
    fileReservedTime: KEPT_HOURS,
    cleanResourceInterval: CLEAN_PERIOD_MS,
  }
}

function sentenceOf({ flushDiskType, precisionMs, plan, rollWindowMs, savePeriodMs }: Setting) {
  return (
    `${flushDiskType}, slots of ${precisionMs} ms, saved every ${savePeriodMs} ms, stored again ` +
    `after ${rollWindowMs / 1_000} s, ${plan.sends.length} messages in ${shown(plan.lengthMs)}`
  )
}

function shown(ms: number): string {
  return `${(ms / 1_000).toFixed(3)} s`
}
