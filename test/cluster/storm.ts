/**
 * A broker that is killed again and again while a producer sends as fast as it can and a consumer
 * consumes, and what became of the messages in the end.
 */
import { type Clock, nextTurn } from '@rockhopper/host'
import { SimRandom } from '@rockhopper/sim'
import type { TestContext } from 'vitest'
import type { ServerProcess } from './server-process.ts'
import { openStage, type Stage } from './stage.ts'
import { Traffic, type Verdict } from './traffic.ts'

/**
 * Every so many kills the broker lives until the consumer, which pauses for a second or two when a
 * connection breaks, has consumed something.
 */
const CONSUMING_LIVES = 5
const CONSUMED_MESSAGES = 1_000
/** The share of starts that are killed, too. */
const KILLED_STARTS = 0.2
/** Far beyond what it takes, for machines that are busy with other things. */
const START_TIMEOUT_MS = 60_000
/** About what a broker works on the messages of all lanes. */
const LONGEST_SPIN_MS = 15

export interface StormOptions {
  readonly kills: number
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH'
  /** Of the moments of the kills. */
  readonly seed: number
  /** Acknowledgements between a restart and the next kill: from 1 to this many. */
  readonly acknowledgementsPerLife: number
}

export interface Aftermath extends Verdict {
  /** Those included that struck in a start. */
  readonly kills: number
  /** From the start of the process to the first acknowledgement, for each restart. */
  readonly restartMs: readonly number[]
}

export async function storm(test: TestContext, options: StormOptions): Promise<Aftermath> {
  const { flushDiskType, kills } = options
  const stage = await openStage(test, { settings: { flushDiskType } })
  const traffic = await Traffic.open(stage)
  traffic.send()
  const restartMs = await killRepeatedly(stage, traffic, options)
  return { ...(await traffic.judge()), kills, restartMs }
}

/** How long each restart took until the first acknowledgement, in ms. */
async function killRepeatedly(
  { broker, host }: Stage,
  traffic: Traffic,
  { acknowledgementsPerLife, kills, seed }: StormOptions,
): Promise<number[]> {
  const { clock } = host
  const random = new SimRandom(seed)
  const restartMs: number[] = []
  for (let kill = 1; kill <= kills; kill++) {
    if (kill % CONSUMING_LIVES === 0) await traffic.untilDelivered(CONSUMED_MESSAGES)
    const more = 1 + random.below(acknowledgementsPerLife)
    // Half of the kills find messages that were acknowledged this very moment, half find work begun.
    const { ledger } = traffic
    if (random.chance(0.5))
      ledger.alarmAt(ledger.acknowledged.value + more, () => broker.child.kill())
    await traffic.untilAcknowledged(more)
    await untilAtWork(clock, random)
    await broker.kill()
    if (kill < kills && random.chance(KILLED_STARTS)) {
      kill++
      await killAtStart(broker)
    }
    const startMs = clock.monotonicMs()
    broker.launch()
    await traffic.untilAcknowledged(1)
    restartMs.push(clock.monotonicMs() - startMs)
  }
  return restartMs
}

/** A start that ends when the store is recovered, and nobody was served yet. */
async function killAtStart(broker: ServerProcess): Promise<void> {
  const isOpen = (): unknown => broker.logged('The store is open.')
  await broker.launch().waitFor('recovered store', isOpen, START_TIMEOUT_MS)
  await broker.kill()
}

/**
 * When a number of acknowledgements has just come, the broker is idle: it waits for the next
 * messages, which leave at the end of our turn. It is at work on them while we are busy doing nothing.
 */
async function untilAtWork(clock: Clock, random: SimRandom): Promise<void> {
  await nextTurn()
  await nextTurn()
  const endMs = clock.monotonicMs() + random.between(0, LONGEST_SPIN_MS)
  while (clock.monotonicMs() < endMs);
}
