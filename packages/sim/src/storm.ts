/**
 * A storm over consumer groups, from one seed: members join, leave and die at random over the queues
 * of two brokers while messages are sent; then it is quiet, everything is consumed, and what happened
 * is judged. Owns its world; the same seed with the same options repeats it event for event.
 */
import type { BrokerConfig } from '@rockhopper/broker'
import type { ConsumerOptions } from '@rockhopper/client'
import type { Host } from '@rockhopper/host'
import type { SimRandom } from './random.ts'
import { type RunReport, SimRun } from './run.ts'
import type { ServerProcess } from './server-process.ts'
import { BROKER_AFTERMATH_MS, judgeStorm, longest, repeats } from './storm-checker.ts'
import { StormCluster } from './storm-cluster.ts'
import { StormHistory } from './storm-history.ts'
import { StormMember } from './storm-member.ts'
import { type GroupProgress, type StoredInStorm, StormOperator } from './storm-operator.ts'
import { planStorm, type StormEvent } from './storm-plan.ts'
import { StormProducer } from './storm-producer.ts'
import { StormWatch } from './storm-watch.ts'
import type { SimWorld } from './world.ts'

/** Topics, with the queues that each of the two brokers has of them: 64 in all. */
const TOPICS = new Map([
  ['storm-wide', 16],
  ['storm-middle', 12],
  ['storm-narrow', 4],
])
const ORDERLY_GROUP = 'storm-orderly'
const CONCURRENT_GROUP = 'storm-concurrent'
const GROUPS: readonly string[] = [ORDERLY_GROUP, CONCURRENT_GROUP]
const MEMBERS = 50
const EVENTS = 200
const PRODUCERS = 2
const FAILURE_CHANCE = 0.002
const START_LIMIT_MS = 60_000
/** The first members are there before the storm begins. */
const CALM_MS = 5_000
const LOOK_MS = 500
/** Time in which a client that was cut off takes part again. */
const RECOVERY_MS = 10_000
/** Brokers count a member that vanished for two minutes, and look for such ones every 10 s. */
const GHOST_MS = 135_000
const READ_LIMIT_MS = 60_000
const DRAIN_LIMIT_MS = 300_000

export interface StormOptions {
  /** How many things happen; 200 when absent. */
  readonly events?: number
  /** Consumers there may be at a time; 50 when absent. */
  readonly members?: number
  /** How a test plants a bug: in the settings of brokers, */
  readonly brokerSettings?: Partial<BrokerConfig>
  /** in the options of consumers, */
  readonly consumerOptions?: Partial<ConsumerOptions>
  /** or between a process and its doors. */
  readonly doors?: (doors: Host, hostName: string) => Host
}

export interface StormReport extends RunReport {
  readonly acknowledgedCount: number
  readonly deliveredCount: number
  /** Deliveries of messages that their group had been given before. */
  readonly repeatCount: number
  readonly killCount: number
  /** The longest time that a queue with messages stood still without an excuse, in ms. */
  readonly longestIdleMs: number
}

interface Setting {
  readonly orderlyCount: number
  readonly membersAtFirst: number
  readonly isSilent: boolean
  readonly isDeep: boolean
  readonly events: readonly StormEvent[]
  readonly members: number
}

/** Plays the storm of a seed. Never rejects: what goes wrong is in the findings. */
export async function simulateStorm(
  seed: number,
  options: StormOptions = {},
): Promise<StormReport> {
  const storm = new Storm(seed, options)
  await storm.play()
  return storm.report()
}

class Storm {
  readonly #run: SimRun
  readonly #world: SimWorld
  readonly #setting: Setting
  readonly #history: StormHistory
  readonly #cluster: StormCluster
  readonly #operator: StormOperator
  readonly #members: readonly StormMember[]
  readonly #producers: readonly StormProducer[]
  readonly #ghostsUntilMs = new Map<string, number>()
  /** Hosts that are cut off, or were a moment ago. */
  readonly #awayUntilMs = new Map<string, number>()
  #isSending = true
  #isOver = false

  constructor(seed: number, options: StormOptions) {
    const doors = options.doors ?? ((given: Host): Host => given)
    this.#run = new SimRun(seed)
    const { world } = this.#run
    this.#world = world
    this.#setting = draw(world.random.fork(), options)
    this.#history = new StormHistory(
      () => world.clock.monotonicMs(),
      (what) => world.note(what),
    )
    this.#cluster = new StormCluster(world, {
      doors,
      settings: options.brokerSettings ?? {},
      onFailure: (name, error) => this.#tell(`${name} has failed: ${error.message}`),
    })
    const { nameServerAddress: namesrvAddr } = this.#cluster
    this.#operator = new StormOperator(world.host('operator').doors, namesrvAddr)
    const shared = { doors, namesrvAddr, topics: [...TOPICS.keys()], history: this.#history }
    this.#producers = Array.from({ length: PRODUCERS }, (_, index) => {
      const host = world.host(`sender-${index + 1}`)
      const isSending = (): boolean => this.#isSending
      return new StormProducer({ ...shared, host, random: world.random.fork(), isSending })
    })
    this.#members = Array.from({ length: this.#setting.members }, (_, index) => {
      const isOrderly = this.#isOrderly(index)
      return new StormMember({
        ...shared,
        ...{ isOrderly, group: isOrderly ? ORDERLY_GROUP : CONCURRENT_GROUP },
        host: world.host(`member-${index + 1}`),
        random: world.random.fork(),
        failureChance: FAILURE_CHANCE,
        options: options.consumerOptions ?? {},
      })
    })
  }

  async play(): Promise<void> {
    await this.#run.play(async () => {
      await this.#start()
      await this.#rage()
      await this.#calmDown()
    })
    this.#isOver = true
  }

  report(): StormReport {
    const { deliveries, sent } = this.#history
    return {
      ...this.#run.report(sentenceOf(this.#setting)),
      acknowledgedCount: sent.filter(({ acknowledged }) => acknowledged !== undefined).length,
      deliveredCount: deliveries.length,
      repeatCount: repeats(deliveries).length,
      killCount: this.#setting.events.filter(({ kind }) => kind === 'kill').length,
      longestIdleMs: longest(this.#history, 'idle'),
    }
  }

  async #start(): Promise<void> {
    const { clock } = this.#world
    this.#cluster.start()
    for (const [topic, queueCount] of TOPICS) {
      for (const address of this.#cluster.brokerAddresses) {
        const creation = this.#operator.createTopic(topic, address, queueCount)
        await clock.settle(creation, START_LIMIT_MS)
      }
    }
    for (const producer of this.#producers) this.#launch(producer.run())
    for (const member of this.#members.slice(0, this.#setting.membersAtFirst)) {
      this.#launch(member.join())
      await clock.advance(this.#world.random.between(0, 50))
    }
    await clock.advance(CALM_MS)
  }

  async #rage(): Promise<void> {
    const { clock } = this.#world
    this.#watch()
    const startMs = clock.monotonicMs()
    for (const event of this.#setting.events) {
      clock.at(startMs + event.fromMs, () => this.#begin(event))
      if (event.untilMs > event.fromMs) clock.at(startMs + event.untilMs, () => this.#mend(event))
    }
    const endMs = Math.max(...this.#setting.events.map(({ untilMs }) => untilMs))
    await clock.run(startMs + endMs)
  }

  #begin(event: StormEvent): void {
    const { history, member, broker } = this.#partsOf(event)
    const nowMs = this.#world.clock.monotonicMs()
    const name = member.host.name
    switch (event.kind) {
      case 'join':
        this.#launch(member.join())
        this.#tell(`${member.lifeName} joins ${member.group}`)
        return
      case 'leave':
        this.#tell(`${member.lifeName} leaves`)
        this.#launch(member.leave())
        return
      case 'kill':
        this.#tell(`${member.lifeName} is killed`)
        for (const life of member.kill()) history.trouble(life, nowMs, nowMs)
        return
      case 'power-loss':
        this.#tell(`${member.lifeName} loses power`)
        for (const life of member.crash()) history.trouble(life, nowMs, nowMs)
        this.#ghostsUntilMs.set(member.lifeName, nowMs + GHOST_MS)
        return
      case 'cut-off': {
        const lengthMs = event.untilMs - event.fromMs
        this.#tell(`${member.lifeName} is cut off for ${Math.round(lengthMs)} ms`)
        history.trouble(member.lifeName, nowMs, nowMs + lengthMs)
        this.#world.network.partition([name], this.#cluster.hostNames)
        this.#awayUntilMs.set(name, nowMs + lengthMs + RECOVERY_MS)
        return
      }
      case 'broker-stop':
        this.#tell(`${broker.host.name} is stopped in order`)
        history.trouble(broker.host.name, nowMs, nowMs + event.untilMs - event.fromMs)
        this.#launch(broker.stop())
        return
      case 'broker-kill':
        this.#tell(`${broker.host.name} is killed`)
        history.trouble(broker.host.name, nowMs, nowMs + event.untilMs - event.fromMs)
        broker.kill()
    }
  }

  #mend(event: StormEvent): void {
    const { broker, member } = this.#partsOf(event)
    if (event.kind === 'cut-off') {
      const { name } = member.host
      this.#tell(`${name} is reached again`)
      for (const other of this.#cluster.hostNames) this.#world.network.mend(name, other)
      return
    }
    this.#tell(`${broker.host.name} is started again`)
    broker.start()
  }

  #partsOf({ index }: StormEvent): {
    history: StormHistory
    member: StormMember
    broker: ServerProcess
  } {
    const member = this.#members[index % this.#members.length]
    const broker = this.#cluster.brokers[index % this.#cluster.brokers.length]
    if (member === undefined || broker === undefined) throw new RangeError('nobody is there')
    return { history: this.#history, member, broker }
  }

  /** From here on everything has to come right by itself. */
  async #calmDown(): Promise<void> {
    const { clock } = this.#world
    this.#tell('the storm is over')
    for (const group of GROUPS) this.#revive(group)
    await clock.advance(CALM_MS)
    this.#isSending = false
    await clock.advance(CALM_MS)
    const stored = await clock.settle(this.#operator.readAll([...TOPICS.keys()]), READ_LIMIT_MS)
    const progress = await this.#drain(stored)
    this.#tell('everything is consumed')
    this.#complainOfErrors()
    this.#run.findings.push(
      ...judgeStorm({
        ...{ history: this.#history, stored, progress },
        groups: GROUPS.map((group) => ({ group, isOrderly: group === ORDERLY_GROUP })),
        owners: this.#owners(),
      }),
    )
  }

  /** A group that has nobody left would not consume the rest. */
  #revive(group: string): void {
    const members = this.#members.filter((member) => member.group === group)
    const [first] = members
    if (first === undefined || members.some(({ isJoined }) => isJoined)) return
    this.#launch(first.join())
    this.#tell(`${first.lifeName} joins ${group}, which has nobody left`)
  }

  /** Waits until the groups have consumed and committed everything, and gives back how far they are. */
  async #drain(stored: readonly StoredInStorm[]): Promise<Map<string, readonly GroupProgress[]>> {
    const { clock } = this.#world
    const endMs = clock.monotonicMs() + DRAIN_LIMIT_MS
    for (;;) {
      const progress = new Map<string, readonly GroupProgress[]>()
      for (const group of GROUPS) {
        const asked = this.#operator.progress(group, [...TOPICS.keys()])
        progress.set(group, (await clock.settle(asked, READ_LIMIT_MS)) ?? [])
      }
      const isDone = [...progress.values()].every(
        (queues) =>
          queues.length > 0 &&
          queues.every(({ committedOffset, endOffset }) => committedOffset === endOffset),
      )
      const isSettled = this.#isSettled() && this.#isAllHandled(stored)
      if ((isDone && isSettled) || clock.monotonicMs() > endMs) return progress
      await clock.advance(LOOK_MS * 2)
    }
  }

  /** Whether no handler's failure waits for another try. */
  #isAllHandled(stored: readonly StoredInStorm[]): boolean {
    const handled = new Set<string>()
    for (const { end, group, key } of this.#history.deliveries) {
      if (end?.how === 'handled') handled.add(`${group} ${key}`)
    }
    return GROUPS.every((group) => stored.every(({ key }) => handled.has(`${group} ${key}`)))
  }

  /** Whether brokers know who the members are, and members which brokers there are. */
  #isSettled(): boolean {
    const nowMs = this.#world.clock.monotonicMs()
    const hasGhosts = [...this.#ghostsUntilMs.values()].some((untilMs) => untilMs >= nowMs)
    return !hasGhosts && this.#isWell(nowMs)
  }

  #owners(): Map<string, Map<string, readonly string[]>> {
    return new Map(
      GROUPS.map((group) => {
        const members = this.#members.filter((member) => member.isMember && member.group === group)
        const owners = this.#cluster.queuesOf(TOPICS).map((queue) => {
          const having = members.filter(({ queues }) => queues.includes(queue))
          return [queue, having.map(({ lifeName }) => lifeName)] as const
        })
        return [group, new Map(owners)]
      }),
    )
  }

  #watch(): void {
    const watch = new StormWatch(this.#history, GROUPS, this.#cluster.queuesOf(TOPICS))
    const look = (): void => {
      if (this.#isOver) return
      this.#look(watch)
      this.#world.clock.after(LOOK_MS, look)
    }
    look()
  }

  #look(watch: StormWatch): void {
    const nowMs = this.#world.clock.monotonicMs()
    const isAway = ({ host }: StormMember): boolean => {
      return (this.#awayUntilMs.get(host.name) ?? 0) > nowMs
    }
    const ghosts = [...this.#ghostsUntilMs.values()].some((untilMs) => untilMs > nowMs)
    watch.look({
      nowMs,
      isWell: () => this.#isWell(nowMs),
      groups: GROUPS.map((group) => {
        const all = this.#members.filter((member) => member.isMember && member.group === group)
        const members = all.filter((member) => !isAway(member))
        const owned = new Set(members.flatMap(({ queues }) => queues))
        const hasGhosts = ghosts || members.length < all.length
        return { group, owned, memberCount: members.length, hasGhosts }
      }),
    })
  }

  /** Whether no broker ended a moment ago: each of them knows who the members are. */
  #isWell(nowMs: number): boolean {
    return this.#history.troubles.every(({ fromMs, untilMs, who }) => {
      const isOver = fromMs > nowMs || untilMs + BROKER_AFTERMATH_MS < nowMs
      return isOver || !this.#cluster.hostNames.includes(who)
    })
  }

  /** A consumer or broker that speaks of an error has met something that nobody foresaw. */
  #complainOfErrors(): void {
    for (const { atMs, fields, host, level, sentence } of this.#world.lines) {
      if (level !== 'error') continue
      const error = fields['error'] instanceof Error ? ` ${fields['error'].stack}` : ''
      const said = `${host} says at ${(atMs / 1000).toFixed(3)} s: ${sentence}${error}`
      this.#run.find('nobody says that a person must act', said)
    }
  }

  #launch(running: Promise<void>): void {
    this.#run.launch(running)
  }

  #tell(sentence: string): void {
    this.#run.tell(sentence)
  }

  /** Members of both kinds are spread over the numbers, and so over those that are there at first. */
  #isOrderly(index: number): boolean {
    const { members, orderlyCount } = this.#setting
    return (
      Math.floor(((index + 1) * orderlyCount) / members) >
      Math.floor((index * orderlyCount) / members)
    )
  }
}

function draw(random: SimRandom, options: StormOptions): Setting {
  const { events = EVENTS, members = MEMBERS } = options
  const isSilent = random.chance(0.4)
  const isDeep = random.chance(0.4)
  const membersAtFirst = Math.max(2, Math.round(members * random.between(0.2, 0.9)))
  const orderlyCount = Math.max(1, Math.round(members * random.between(0.3, 0.7)))
  const pace = random.chance(0.2) ? random.between(1, 4) : 1
  const plan = { events, members, membersAtFirst, brokers: 2, pace, isSilent, isDeep }
  return { ...plan, orderlyCount, events: planStorm(random, plan) }
}

function sentenceOf(setting: Setting): string {
  const { events, isDeep, isSilent, members, membersAtFirst, orderlyCount } = setting
  const queueCount = 2 * [...TOPICS.values()].reduce((sum, count) => sum + count, 0)
  return (
    `${events.length} events, ${queueCount} queues, ${members} members, ${orderlyCount} of them ` +
    `orderly, ${membersAtFirst} at first` +
    `${isSilent ? ', some vanish' : ''}${isDeep ? ', brokers end' : ''}`
  )
}
