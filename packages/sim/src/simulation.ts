/**
 * One simulation from one seed: a cluster under load while things go wrong; then all is mended, the
 * group is given time to consume everything, and what happened is judged. Owns its world; the same
 * seed with the same options repeats it event for event.
 */
import type { Host } from '@rockhopper/host'
import { countRepeats, type Evidence, type Finding, judge } from './checker.ts'
import { type FlushDiskType, SimCluster } from './cluster.ts'
import { ConsumerApp } from './consumer-app.ts'
import { type Fault, planFaults, planVisits } from './fault-plan.ts'
import { begin, end, type Stage } from './faults.ts'
import { History } from './history.ts'
import { Operator } from './operator.ts'
import { ProducerApp, TAGS } from './producer-app.ts'
import type { SimRandom } from './random.ts'
import { createWorld, type SimWorld } from './world.ts'

const TOPIC = 'simulated'
/** How long producers send while things go wrong, unless told otherwise. */
const LOAD_MS = 25_000
/** How often a handler fails. */
const FAILURE_CHANCE = 0.01
/** How often the operator looks how far the group is. */
const LOOK_MS = 1_000
/** How long the cluster may take to start. */
const START_LIMIT_MS = 60_000
/** How long after the last fault each producer must have got a message through. */
const RECOVERY_LIMIT_MS = 120_000
/** A member that vanished without a word holds its queues for two minutes. */
const DRAIN_LIMIT_MS = 300_000
const READ_LIMIT_MS = 60_000

export interface SimulationOptions {
  /** Whether things go wrong; true when absent. */
  readonly faults?: boolean
  /** How long things go wrong, in milliseconds; 25 s when absent. */
  readonly loadMs?: number
  /** What a broker waits for before it acknowledges; the seed chooses when absent. */
  readonly flushDiskType?: FlushDiskType
  /** Stands between a process and its doors: how a test plants a bug. */
  readonly doors?: (doors: Host, hostName: string) => Host
}

/** Something that happened, as the story tells it. */
export interface Incident {
  readonly atMs: number
  readonly sentence: string
}

export interface SimulationReport {
  readonly seed: number
  /** What the seed has chosen, as a sentence. */
  readonly setting: string
  /** The hash of everything that happened. */
  readonly trace: string
  readonly eventCount: number
  /** Virtual time that passed. */
  readonly durationMs: number
  readonly sentCount: number
  readonly acknowledgedCount: number
  readonly storedCount: number
  readonly deliveredCount: number
  /** Deliveries whose handler failed, or died with its process. */
  readonly failureCount: number
  /** Deliveries of a message that had been delivered before. */
  readonly repeatCount: number
  readonly incidents: readonly Incident[]
  /** Every promise that was broken; empty when all is well. */
  readonly findings: readonly Finding[]
}

/** What is drawn from the seed before anything begins. */
interface Setting {
  readonly flushDiskType: FlushDiskType
  readonly queueCount: number
  readonly producerLanes: readonly number[]
  readonly consumerCount: number
  readonly segmentBytes: number
  readonly queueSegmentUnits: number
  readonly wantedTags: readonly string[] | undefined
  readonly loadMs: number
  readonly faults: readonly Fault[]
}

/** Plays the simulation of a seed. Never rejects: what goes wrong is in the findings. */
export async function simulate(
  seed: number,
  options: SimulationOptions = {},
): Promise<SimulationReport> {
  const simulation = new Simulation(seed, options)
  await simulation.play()
  return simulation.report()
}

class Simulation {
  readonly #world: SimWorld
  readonly #setting: Setting
  readonly #undisturbed: boolean
  readonly #history: History
  readonly #cluster: SimCluster
  readonly #operator: Operator
  readonly #stage: Stage
  readonly #incidents: Incident[] = []
  readonly #findings: Finding[] = []
  #storedCount = 0
  #isSending = true
  /** Whether the operator last saw the group at the end of every queue. */
  #isDrained = false

  constructor(seed: number, options: SimulationOptions) {
    const doors = options.doors ?? ((given: Host): Host => given)
    const world = createWorld(seed)
    this.#world = world
    this.#undisturbed = options.faults === false
    this.#setting = draw(world.random.fork(), options)
    this.#history = new History(
      () => world.clock.monotonicMs(),
      (what) => world.note(what),
    )
    this.#cluster = new SimCluster(world, {
      ...this.#setting,
      doors,
      onFailure: (name, error) => this.#tell(`the ${name} has failed: ${error.message}`),
    })
    const { nameServerAddress, brokerAddress } = this.#cluster
    const operatorHost = world.host('operator').doors
    this.#operator = new Operator(operatorHost, nameServerAddress, brokerAddress, TOPIC)
    this.#stage = this.#newStage(doors)
  }

  async play(): Promise<void> {
    try {
      await this.#start()
      this.#watchProgress()
      this.#planFaults()
      await this.#world.clock.advance(this.#setting.loadMs)
      await this.#mend()
      await this.#judge()
    } catch (error) {
      const sentence = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#findings.push({ rule: 'nothing fails for a reason nobody foresaw', sentence })
    }
  }

  report(): SimulationReport {
    const { sent, deliveries } = this.#history
    return {
      seed: this.#world.seed,
      setting: sentenceOf(this.#setting),
      trace: this.#world.trace(),
      eventCount: this.#world.eventCount,
      durationMs: this.#world.clock.monotonicMs(),
      sentCount: sent.length,
      acknowledgedCount: sent.filter(({ acknowledged }) => acknowledged !== undefined).length,
      storedCount: this.#storedCount,
      deliveredCount: deliveries.length,
      failureCount: deliveries.filter(({ handledStep }) => handledStep === undefined).length,
      repeatCount: countRepeats(deliveries),
      incidents: this.#told(),
      findings: this.#findings,
    }
  }

  #newStage(doors: (doors: Host, hostName: string) => Host): Stage {
    const world = this.#world
    const { consumerCount, producerLanes, wantedTags } = this.#setting
    const shared = {
      ...{ doors, topic: TOPIC, history: this.#history },
      namesrvAddr: this.#cluster.nameServerAddress,
    }
    const producers = producerLanes.map((lanes, index) => {
      const host = world.host(`producer-${index + 1}`)
      const isSending = (): boolean => this.#isSending
      return new ProducerApp({ ...shared, host, lanes, isSending, random: world.random.fork() })
    })
    const failureChance = this.#undisturbed ? 0 : FAILURE_CHANCE
    const expression = wantedTags?.join(' || ') ?? '*'
    const consumers = Array.from({ length: consumerCount }, (_, index) => {
      const host = world.host(`consumer-${index + 1}`)
      const random = world.random.fork()
      return new ConsumerApp({ ...shared, host, expression, random, failureChance })
    })
    const launch = (running: Promise<void>): void => this.#launch(running)
    return { world, cluster: this.#cluster, producers, consumers, launch }
  }

  async #start(): Promise<void> {
    this.#cluster.start()
    await this.#world.clock.settle(
      this.#operator.createTopic(this.#setting.queueCount),
      START_LIMIT_MS,
    )
    for (const app of this.#stage.producers) this.#launch(app.run())
    for (const app of this.#stage.consumers) this.#launch(app.join())
  }

  /** What an application rejects with is a bug in a client: it handles what can be expected. */
  #launch(running: Promise<void>): void {
    running.catch((error: unknown) => {
      const sentence = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#findings.push({ rule: 'a client throws only what it says it throws', sentence })
    })
  }

  #planFaults(): void {
    const { clock } = this.#world
    const startMs = clock.monotonicMs()
    for (const fault of this.#setting.faults) {
      clock.at(startMs + fault.fromMs, () => this.#tell(begin(this.#stage, fault)))
      clock.at(startMs + fault.untilMs, () => this.#tell(end(this.#stage, fault)))
    }
  }

  /** The operator looks on until the end, unless he is not answered. */
  #watchProgress(): void {
    const look = async (): Promise<void> => {
      const progress = await this.#operator.progress()
      for (const { queueId, committedOffset } of progress ?? []) {
        this.#history.seeCommitted({ queueId, queueOffset: committedOffset })
      }
      this.#isDrained =
        progress?.every(({ endOffset, committedOffset }) => endOffset === committedOffset) ?? false
      this.#world.clock.after(LOOK_MS, () => void look())
    }
    void look()
  }

  /** All faults are over: from here on everything has to come right by itself. */
  async #mend(): Promise<void> {
    this.#tell('all is well again')
    const mendedMs = this.#world.clock.monotonicMs()
    await this.#wait(
      'each producer gets a message through',
      () => this.#stage.producers.every(({ gotThroughMs }) => gotThroughMs >= mendedMs),
      RECOVERY_LIMIT_MS,
    )
    this.#isSending = false
    await this.#world.clock.advance(SETTLE_MS)
    this.#isDrained = false
    const isConsumed = (): boolean => this.#isDrained && this.#history.isAllHandled
    await this.#wait('the group consumes everything', isConsumed, DRAIN_LIMIT_MS)
    this.#tell('everything is consumed')
  }

  async #judge(): Promise<void> {
    const queues = await this.#readQueues()
    if (queues === undefined) return
    this.#storedCount = [...queues.values()].flat().length
    const { wantedTags } = this.#setting
    this.#findings.push(
      ...judge({
        history: this.#history,
        queues,
        wantedTags: wantedTags === undefined ? undefined : new Set(wantedTags),
        undisturbed: this.#undisturbed,
      }),
    )
  }

  async #readQueues(): Promise<Evidence['queues'] | undefined> {
    let queues: Evidence['queues'] | undefined
    this.#launch(
      this.#operator.readQueues().then((read) => {
        queues = read
      }),
    )
    await this.#wait('the queues can be read', () => queues !== undefined, READ_LIMIT_MS)
    return queues
  }

  /** Runs until it is so, as a look every now and then shows; when time is up, that is a finding. */
  async #wait(what: string, holds: () => boolean, limitMs: number): Promise<void> {
    const { clock } = this.#world
    const endMs = clock.monotonicMs() + limitMs
    while (clock.monotonicMs() < endMs) {
      if (holds()) return
      await clock.advance(LOOK_MS)
    }
    const sentence = `${limitMs / 1000} s after the last fault it is not so`
    this.#findings.push({ rule: what, sentence })
  }

  /** What happened, and what processes thought a person should act on. */
  #told(): Incident[] {
    const alarms = this.#world.lines
      .filter(({ level }) => level === 'error')
      .map(({ atMs, host, sentence }) => ({ atMs, sentence: `${host} says: ${sentence}` }))
    return [...this.#incidents, ...alarms].sort((one, other) => one.atMs - other.atMs)
  }

  #tell(sentence: string): void {
    this.#incidents.push({ atMs: this.#world.clock.monotonicMs(), sentence })
  }
}

/** Longer than a send may take. */
const SETTLE_MS = 5_000

function draw(random: SimRandom, options: SimulationOptions): Setting {
  const { faults = true, loadMs = LOAD_MS } = options
  const drawn = random.chance(0.5) ? 'SYNC_FLUSH' : 'ASYNC_FLUSH'
  const flushDiskType = options.flushDiskType ?? drawn
  const producerLanes = Array.from({ length: 1 + random.below(3) }, () => 1 + random.below(3))
  return {
    flushDiskType,
    queueCount: 1 + random.below(6),
    producerLanes,
    consumerCount: 1 + random.below(3),
    segmentBytes: SEGMENT_BYTES[random.below(SEGMENT_BYTES.length)] ?? 4 * MIB,
    queueSegmentUnits: 10 + random.below(300),
    wantedTags: random.chance(0.3) ? TAGS.slice(0, 1 + random.below(2)) : undefined,
    loadMs,
    faults: faults
      ? planFaults(random, loadMs, flushDiskType === 'SYNC_FLUSH')
      : planVisits(random, loadMs),
  }
}

const MIB = 2 ** 20
/** Small files of the log: so that it rolls often. */
const SEGMENT_BYTES = [64 * 1024, 256 * 1024, MIB, 4 * MIB]

function sentenceOf({ flushDiskType, queueCount, producerLanes, ...others }: Setting): string {
  const tags = others.wantedTags?.join(' or ') ?? 'all'
  return (
    `${flushDiskType}, ${queueCount} queues, ${producerLanes.length} producers, ` +
    `${others.consumerCount} consumers of ${tags} tags, files of ${others.segmentBytes / 1024} KiB`
  )
}
