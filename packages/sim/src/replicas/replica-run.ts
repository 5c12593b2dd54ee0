/**
 * A whole cluster, from one seed: name servers, two masters and their slaves; producers send and a group
 * consumes while processes, machines, disks, wires and clocks fail; then all is mended, everything has
 * to come right by itself, and what happened is judged. Owns its world; the same seed with the same
 * options repeats it event for event.
 */
import type { BrokerConfig } from '@rockhopper/broker'
import type { Host } from '@rockhopper/host'
import type { SimRandom } from '../random.ts'
import { type RunReport, SimRun } from '../run.ts'
import type { SimWorld } from '../world.ts'
import { judgeReplicas, openFailures } from './replica-checker.ts'
import { BROKER_NAMES, ReplicaCluster } from './replica-cluster.ts'
import { ReplicaConsumer } from './replica-consumer.ts'
import { beginFault, endFault, type ReplicaStage } from './replica-faults.ts'
import { brokerNameOf, ReplicaHistory } from './replica-history.ts'
import { differenceOf } from './replica-logs.ts'
import { drawAlone, drawMode, type ReplicaMode, sentenceOfMode } from './replica-mode.ts'
import { type QueueProgress, ReplicaOperator, type StoredMessage } from './replica-operator.ts'
import { planReplicas, type ReplicaFaultKind, type ReplicaPlan } from './replica-plan.ts'
import { ReplicaProducer, TAGS } from './replica-producer.ts'

const TOPIC = 'replicated'
const KIB = 1024
/** Small files of the log: so that it rolls now and then. */
const SEGMENT_BYTES = [32 * KIB, 64 * KIB, 256 * KIB]
const FLUSH_INTERVAL_MS = [500, 2_000, 10_000]
const LOAD_MS = 8_000
/** How often the operator looks how far the group is while things go wrong. */
const PROGRESS_MS = 2_500
const START_LIMIT_MS = 30_000
/** Slaves have the tables of their master by then. */
const CALM_MS = 1_000
/** Slaves have what was acknowledged by then. */
const COPIED_MS = 50
/** How long after the last fault everything must be right again. */
const RECOVERY_LIMIT_MS = 120_000
/** A member that vanished without a word holds its queues for two minutes. */
const DRAIN_LIMIT_MS = 300_000
/** Longer than a send may take. */
const SETTLE_MS = 4_000
const READ_LIMIT_MS = 60_000
/** In how many runs (0 to 1) handlers fail at all, and how often they do so there. */
const FAILING_CHANCE = 0.15
const FAILURE_CHANCE = 0.02
const FILTER_CHANCE = 0.25

export interface ReplicaOptions {
  /** Whether things go wrong; true when absent. */
  readonly faults?: boolean
  /** How a test plants a bug: in the settings of brokers, */
  readonly brokerSettings?: Partial<BrokerConfig>
  /** in how they replicate, */
  readonly mode?: Partial<ReplicaMode>
  /** or between a process and its doors. */
  readonly doors?: (doors: Host, hostName: string) => Host
}

export interface ReplicaReport extends RunReport {
  readonly sentCount: number
  readonly acknowledgedCount: number
  readonly storedCount: number
  readonly deliveredCount: number
  readonly faultCount: number
  /** How many faults of each kind there were. */
  readonly faultCounts: Readonly<Partial<Record<ReplicaFaultKind, number>>>
}

/** What is drawn from the seed before anything begins. */
interface Setting {
  readonly mode: ReplicaMode
  readonly nameServers: number
  readonly producers: number
  readonly consumers: number
  readonly wantedTags: readonly string[] | undefined
  readonly failureChance: number
  readonly queueCount: number
  readonly segmentBytes: number
  readonly queueSegmentUnits: number
  readonly flushIntervalMs: number
}

/** Plays the run of a seed. Never rejects: what goes wrong is in the findings. */
export async function simulateReplicas(
  seed: number,
  options: ReplicaOptions = {},
): Promise<ReplicaReport> {
  const run = new ReplicaRun(seed, options)
  await run.play()
  return run.report()
}

class ReplicaRun {
  readonly #run: SimRun
  readonly #world: SimWorld
  readonly #setting: Setting
  readonly #history: ReplicaHistory
  readonly #cluster: ReplicaCluster
  readonly #operator: ReplicaOperator
  readonly #producers: readonly ReplicaProducer[]
  readonly #consumers: readonly ReplicaConsumer[]
  readonly #stage: ReplicaStage
  readonly #plan: ReplicaPlan
  readonly #isUndisturbed: boolean
  #storedCount = 0
  #isSending = true

  constructor(seed: number, options: ReplicaOptions) {
    const doors = options.doors ?? ((given: Host): Host => given)
    this.#run = new SimRun(seed)
    const { world } = this.#run
    this.#world = world
    this.#isUndisturbed = options.faults === false
    this.#setting = draw(world.random.fork(), options)
    this.#history = new ReplicaHistory(
      () => world.clock.monotonicMs(),
      (what) => world.note(what),
    )
    this.#cluster = new ReplicaCluster(world, {
      ...this.#setting,
      doors,
      brokerSettings: options.brokerSettings ?? {},
      onFailure: (name, error) => this.#run.tell(`${name} has failed: ${error.message}`),
    })
    this.#operator = new ReplicaOperator(world.host('operator').doors, this.#cluster, TOPIC)
    const { nameServerAddresses: namesrvAddr } = this.#cluster
    const shared = { doors, namesrvAddr, topic: TOPIC, history: this.#history }
    this.#producers = Array.from({ length: this.#setting.producers }, (_, index) => {
      const host = world.host(`producer-${index + 1}`)
      const isSending = (): boolean => this.#isSending
      return new ReplicaProducer({ ...shared, host, isSending, random: world.random.fork() })
    })
    const expression = this.#setting.wantedTags?.join(' || ') ?? '*'
    const failureChance = this.#isUndisturbed ? 0 : this.#setting.failureChance
    this.#consumers = Array.from({ length: this.#setting.consumers }, (_, index) => {
      const host = world.host(`consumer-${index + 1}`)
      const random = world.random.fork()
      return new ReplicaConsumer({ ...shared, host, random, expression, failureChance })
    })
    this.#stage = this.#newStage()
    this.#plan = this.#newPlan(world.random.fork(), options)
  }

  async play(): Promise<void> {
    await this.#run.play(async () => {
      await this.#start()
      this.#watchProgress()
      this.#scheduleFaults()
      await this.#world.clock.advance(LOAD_MS)
      await this.#mend()
      await this.#judge()
    })
  }

  report(): ReplicaReport {
    const { deliveries, sent } = this.#history
    return {
      ...this.#run.report(sentenceOf(this.#setting, this.#plan)),
      sentCount: sent.length,
      acknowledgedCount: sent.filter(({ acknowledged }) => acknowledged !== undefined).length,
      storedCount: this.#storedCount,
      deliveredCount: deliveries.length,
      faultCount: this.#plan.faults.length,
      faultCounts: countKinds(this.#plan),
    }
  }

  #newStage(): ReplicaStage {
    return {
      world: this.#world,
      cluster: this.#cluster,
      history: this.#history,
      producers: this.#producers,
      consumers: this.#consumers,
      launch: (running) => this.#run.launch(running),
    }
  }

  #newPlan(random: SimRandom, { faults = true }: ReplicaOptions): ReplicaPlan {
    if (!faults) return { faults: [], isWithinPromise: true }
    const { mode } = this.#setting
    const targets = {
      nameServers: this.#cluster.nameServers.map(({ host }) => host.name),
      brokers: this.#cluster.hostsByBroker,
      producers: this.#producers.map(({ host }) => host.name),
      consumers: this.#consumers.map(({ host }) => host.name),
    }
    return planReplicas(random, { loadMs: LOAD_MS, mode, targets })
  }

  #scheduleFaults(): void {
    const { clock } = this.#world
    const startMs = clock.monotonicMs()
    for (const fault of this.#plan.faults) {
      clock.at(startMs + fault.fromMs, () => this.#run.tell(beginFault(this.#stage, fault)))
      clock.at(startMs + fault.untilMs, () => this.#run.tell(endFault(this.#stage, fault)))
    }
  }

  /** The operator looks on while things go wrong, unless he is not answered. */
  #watchProgress(): void {
    const look = async (): Promise<void> => {
      if (!this.#isSending) return
      await this.#progress()
      this.#world.clock.after(PROGRESS_MS, () => void look())
    }
    void look()
  }

  async #start(): Promise<void> {
    const { clock } = this.#world
    this.#cluster.startMasters()
    await clock.run(() => this.#cluster.isWritable, START_LIMIT_MS)
    for (const master of this.#cluster.masters) {
      const creation = this.#operator.createTopic(master, this.#setting.queueCount)
      await clock.settle(creation, START_LIMIT_MS)
    }
    this.#cluster.startSlaves()
    await clock.run(() => this.#cluster.isUp, START_LIMIT_MS)
    for (const consumer of this.#consumers) this.#run.launch(consumer.join())
    await clock.advance(CALM_MS)
    for (const producer of this.#producers) this.#run.launch(producer.run())
    await this.#settleIn()
  }

  /**
   * Waits until each broker has some of its log, on its device as well. Logs that have nothing in common
   * are left to a person: a master that has lost its very first record would be.
   */
  async #settleIn(): Promise<void> {
    const { clock } = this.#world
    const isUsed = (name: string): boolean => {
      return this.#history.sent.some(({ acknowledged }) => {
        return acknowledged !== undefined && brokerNameOf(acknowledged.queue) === name
      })
    }
    await clock.run(() => BROKER_NAMES.every(isUsed), START_LIMIT_MS)
    await clock.advance(COPIED_MS)
    for (const { process } of this.#cluster.brokers) process.host.disk.makeDurable()
  }

  /** All faults are over: from here on everything has to come right by itself. */
  async #mend(): Promise<void> {
    const { clock } = this.#world
    this.#run.tell('all is well again')
    const mendedMs = clock.monotonicMs()
    await this.#expect('each server is up', () => {
      return this.#cluster.isUp ? undefined : 'one is not'
    })
    await this.#expect('each producer gets a message through', () =>
      this.#producers.every(({ gotThroughMs }) => gotThroughMs >= mendedMs)
        ? undefined
        : 'a producer got nothing through',
    )
    this.#isSending = false
    await clock.advance(SETTLE_MS)
    await this.#expect('each broker is registered with each name server', () =>
      clock.settle(this.#operator.missing(), READ_LIMIT_MS),
    )
    await this.#expect('the log of each slave becomes that of its master', () => {
      return this.#difference()
    })
    await this.#expect('the group consumes everything', () => this.#unconsumed(), DRAIN_LIMIT_MS)
    this.#run.tell('everything is consumed')
  }

  #expect(
    rule: string,
    amiss: () => string | undefined | Promise<string | undefined>,
    limitMs = RECOVERY_LIMIT_MS,
  ): Promise<void> {
    return this.#run.expect(rule, limitMs, amiss)
  }

  #difference(): string | undefined {
    for (const master of this.#cluster.masters) {
      for (const slave of this.#cluster.slavesOf(master)) {
        const difference = differenceOf(master, slave)
        if (difference !== undefined) return difference
      }
    }
    return undefined
  }

  async #progress(): Promise<readonly QueueProgress[] | undefined> {
    const progress = await this.#operator.progress()
    for (const { committedOffset, queue } of progress ?? []) {
      this.#history.seeCommitted({ queue, queueOffset: committedOffset })
    }
    return progress
  }

  async #unconsumed(): Promise<string | undefined> {
    const progress = await this.#world.clock.settle(this.#progress(), READ_LIMIT_MS)
    if (progress === undefined) return 'nobody knows how far the group is'
    const behind = progress.find(({ committedOffset, endOffset }) => committedOffset !== endOffset)
    if (behind === undefined) return this.#unmended()
    return `the group is at ${behind.committedOffset} of ${behind.endOffset} in ${behind.queue}`
  }

  #unmended(): string | undefined {
    const [first] = openFailures(this.#history, this.#setting.mode)
    return first && `the handler of ${first.key} failed, and it did not come again`
  }

  async #judge(): Promise<void> {
    const { clock } = this.#world
    const stored: readonly StoredMessage[] = await clock.settle(
      this.#operator.readAll(),
      READ_LIMIT_MS,
    )
    this.#storedCount = stored.length
    const { mode, wantedTags } = this.#setting
    this.#run.findings.push(
      ...judgeReplicas({
        ...{ history: this.#history, mode, stored },
        isWithinPromise: this.#plan.isWithinPromise,
        isUndisturbed: this.#isUndisturbed,
        wantedTags: wantedTags && new Set(wantedTags),
      }),
    )
  }
}

function draw(random: SimRandom, { mode }: ReplicaOptions): Setting {
  const drawn = drawMode(random)
  const setting = {
    nameServers: 1 + random.below(2),
    producers: 1 + random.below(2),
    consumers: 1 + random.below(2),
    wantedTags: random.chance(FILTER_CHANCE) ? TAGS.slice(0, 1 + random.below(2)) : undefined,
    failureChance: random.chance(FAILING_CHANCE) ? FAILURE_CHANCE : 0,
    queueCount: 1 + random.below(2),
    segmentBytes: SEGMENT_BYTES[random.below(SEGMENT_BYTES.length)] ?? 64 * KIB,
    queueSegmentUnits: 20 + random.below(100),
    flushIntervalMs: FLUSH_INTERVAL_MS[random.below(FLUSH_INTERVAL_MS.length)] ?? 500,
  }
  return { ...setting, mode: { ...drawAlone(random, drawn), ...mode } }
}

function countKinds({ faults }: ReplicaPlan): ReplicaReport['faultCounts'] {
  const counts: Partial<Record<ReplicaFaultKind, number>> = {}
  for (const { kind } of faults) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

function sentenceOf(setting: Setting, plan: ReplicaPlan): string {
  const { consumers, mode, nameServers, producers, queueCount, segmentBytes, wantedTags } = setting
  return (
    `${sentenceOfMode(mode)}; name servers: ${nameServers}, producers: ${producers}, ` +
    `consumers: ${consumers} of ${wantedTags?.join(' or ') ?? 'all'} tags, queues of each master: ${queueCount}, files of ` +
    `${segmentBytes / KIB} KiB, flushed every ${setting.flushIntervalMs} ms; ` +
    (plan.isWithinPromise ? 'nothing beyond what is promised' : 'more than is promised')
  )
}
