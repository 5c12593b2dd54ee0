/**
 * A storm over consumer groups with real processes: consumers join, leave and are killed at random
 * while messages are sent; then it is quiet, everything is consumed, and what happened is judged by
 * the same rules as in the simulation. Owns the processes and what was sent.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AdminClient, consumerProgress, updateTopic } from '@rockhopper/admin'
import { ClientError, DefaultProducer } from '@rockhopper/client'
import { type Host, nodeHost, pause } from '@rockhopper/host'
import { topicConfig } from '@rockhopper/protocol'
import {
  type Finding,
  type GroupProgress,
  judgeStorm,
  repeatsIn,
  SimRandom,
  StormHistory,
} from '@rockhopper/sim'
import { ServerProcess } from '../cluster/server-process.ts'
import { freePort } from '../processes/port.ts'
import { ConsumerProcess, nowMs } from './consumer-process.ts'
import { standstillsIn } from './standstills.ts'

const TOPIC = 'storm'
const QUEUES = 64
const BROKER = 'broker-a'
const ORDERLY_GROUP = 'storm-orderly'
const CONCURRENT_GROUP = 'storm-concurrent'
const GROUPS = [ORDERLY_GROUP, CONCURRENT_GROUP] as const
const PORTS = { lowest: 23_000, highest: 23_990 }
/** Consumers there are about, of those there may be. */
const USUAL_SHARE = 0.7
const KILL_CHANCE = 0.15
const SEND_PAUSE_MS = 10
const DRAIN_LIMIT_MS = 120_000
const LOOK_MS = 500

export interface GroupStormOptions {
  readonly seed: number
  readonly events: number
  readonly processes: number
  readonly consumersPerProcess: number
  /** The longest time between two events, in ms. */
  readonly gapMs: number
  readonly say?: (line: string) => void
}

export interface GroupStormReport {
  readonly findings: readonly Finding[]
  readonly joins: number
  readonly leaves: number
  readonly kills: number
  /** Consumers that died with their processes. */
  readonly killedMembers: number
  readonly acknowledged: number
  readonly delivered: number
  readonly repeats: number
  readonly longestIdleMs: number
  readonly durationMs: number
  /** Where the servers have their files. */
  readonly folder: string
}

/** A place for a consumer. */
interface Slot {
  readonly process: number
  readonly number: number
  lives: number
  /** What its present life is called; undefined while it is empty. */
  life: string | undefined
}

export async function groupStorm(options: GroupStormOptions): Promise<GroupStormReport> {
  const folder = mkdtempSync(join(process.env['FAULTS_FOLDER'] ?? tmpdir(), 'rockhopper-group-'))
  const storm = new GroupStorm(options, folder)
  try {
    const report = await storm.play()
    if (report.findings.length === 0) rmSync(folder, { recursive: true, force: true })
    return report
  } finally {
    await storm.close()
  }
}

class GroupStorm {
  readonly #options: GroupStormOptions
  readonly #folder: string
  readonly #random: SimRandom
  readonly #host: Host = nodeHost()
  readonly #slots: readonly Slot[]
  readonly #running: (ConsumerProcess | undefined)[] = []
  readonly #all: ConsumerProcess[] = []
  readonly #stopping = new AbortController()
  readonly #sent: { key: string; atMs: number; queue: string; queueOffset: number }[] = []
  readonly #killed: { life: string; atMs: number }[] = []
  readonly #counts = { joins: 0, leaves: 0, kills: 0 }
  #servers: ServerProcess[] = []
  #namesrvAddr = ''

  constructor(options: GroupStormOptions, folder: string) {
    this.#options = options
    this.#folder = folder
    this.#random = new SimRandom(options.seed)
    const { consumersPerProcess, processes } = options
    this.#slots = Array.from({ length: processes * consumersPerProcess }, (_, index) => ({
      process: index % processes,
      number: index + 1,
      lives: 0,
      life: undefined,
    }))
  }

  async play(): Promise<GroupStormReport> {
    const startMs = nowMs()
    await this.#startServers()
    const sending = this.#send(await this.#producer())
    for (const slot of this.#slots.slice(0, this.#usualCount)) this.#join(slot)
    await pause(this.#host.clock, 2_000)
    for (let event = 0; event < this.#options.events; event++) {
      await pause(this.#host.clock, this.#random.between(0, this.#options.gapMs))
      await this.#happen()
    }
    // So that nobody is missing who would have to consume the rest.
    for (const group of GROUPS) if (!this.#hasMembers(group)) this.#joinOneOf(group)
    await pause(this.#host.clock, 2_000)
    this.#stopping.abort()
    await sending
    const progress = await this.#drain()
    return await this.#judge(progress, startMs)
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#running.map((running) => running?.kill()))
    for (const server of this.#servers.toReversed()) await server.kill()
  }

  async #startServers(): Promise<void> {
    const folder = this.#folder
    const port = await freePort(PORTS)
    const kvConfigPath = join(folder, 'kvConfig.json')
    const namesrv = new ServerProcess({
      ...{ program: 'mqnamesrv', port, folder, settings: { kvConfigPath } },
    })
    this.#namesrvAddr = namesrv.address
    const broker = new ServerProcess({
      ...{ program: 'mqbroker', port: await freePort(PORTS), folder },
      settings: {
        ...{ brokerName: BROKER, brokerIP1: '127.0.0.1', namesrvAddr: namesrv.address },
        storePathRootDir: join(folder, 'store'),
      },
    })
    this.#servers = [namesrv, broker]
    for (const server of this.#servers) await server.start()
    const config = topicConfig(TOPIC, { readQueueNums: QUEUES, writeQueueNums: QUEUES })
    const { attributes: _, ...wanted } = config
    await updateTopic(this.#admin(), { brokerAddr: broker.address }, wanted)
  }

  #admin(): AdminClient {
    return new AdminClient(this.#host, { nameServers: [this.#namesrvAddr] })
  }

  /** A producer that has started; on a busy machine that may take several tries. */
  async #producer(): Promise<DefaultProducer> {
    const producer = new DefaultProducer({
      ...{ group: 'storm-senders', host: this.#host, namesrvAddr: this.#namesrvAddr },
      sendTimeoutMs: 60_000,
    })
    for (;;) {
      try {
        await producer.start()
        return producer
      } catch (error) {
        if (!(error instanceof ClientError && error.retryable)) throw error
        await pause(this.#host.clock, LOOK_MS)
      }
    }
  }

  async #send(producer: DefaultProducer): Promise<void> {
    const { clock } = this.#host
    for (let number = 1; !this.#stopping.signal.aborted; number++) {
      const key = `sender-1/${number}`
      try {
        const { queue, queueOffset } = await producer.send({ topic: TOPIC, body: key })
        const name = `${queue.topic} ${queue.brokerName} ${queue.queueId}`
        this.#sent.push({ key, atMs: nowMs(), queue: name, queueOffset })
      } catch (error) {
        // A machine that is too busy for an answer; what is not acknowledged is not judged.
        if (!(error instanceof ClientError)) throw error
      }
      await pause(clock, SEND_PAUSE_MS, this.#stopping.signal)
    }
    await producer.close()
  }

  get #usualCount(): number {
    return Math.round(this.#slots.length * USUAL_SHARE)
  }

  async #happen(): Promise<void> {
    this.#noteLeft()
    const present = this.#slots.filter(({ life }) => life !== undefined)
    const absent = this.#slots.filter(({ life }) => life === undefined)
    if (present.length > 2 && this.#random.chance(KILL_CHANCE)) return await this.#kill()
    const wantsMore = this.#random.chance(present.length < this.#usualCount ? 0.75 : 0.35)
    const slot = this.#picked(wantsMore ? absent : present)
    if (slot === undefined) return
    if (slot.life === undefined) this.#join(slot)
    else this.#leave(slot)
  }

  #join(slot: Slot): void {
    slot.lives += 1
    const life = `member-${slot.number}/${slot.lives}`
    slot.life = life
    const running = this.#running[slot.process] ?? this.#spawn(slot.process)
    this.#tell(`${life} joins`)
    const group = this.#groupOf(slot)
    running.join(life, group, group === ORDERLY_GROUP)
    this.#counts.joins += 1
  }

  #leave(slot: Slot): void {
    if (slot.life === undefined) return
    this.#tell(`${slot.life} leaves`)
    this.#running[slot.process]?.leave(slot.life)
    slot.life = undefined
    this.#counts.leaves += 1
  }

  async #kill(): Promise<void> {
    const index = this.#picked(this.#slots.filter(({ life }) => life !== undefined))?.process
    const running = index === undefined ? undefined : this.#running[index]
    if (index === undefined || running === undefined) return
    const members = [...running.members]
    this.#tell(`process ${index + 1} is killed with ${members.join(', ')}`)
    const atMs = nowMs()
    for (const life of members) this.#killed.push({ life, atMs })
    for (const slot of this.#slots) if (slot.process === index) slot.life = undefined
    this.#running[index] = undefined
    this.#counts.kills += 1
    await running.kill()
  }

  #spawn(index: number): ConsumerProcess {
    const name = `consumers ${index + 1}`
    const running = new ConsumerProcess(name, this.#folder, this.#namesrvAddr)
    this.#running[index] = running
    this.#all.push(running)
    return running
  }

  /** Reading what processes said keeps the memory of it small and the answers known. */
  #noteLeft(): void {
    for (const running of this.#running) running?.members
  }

  #hasMembers(group: string): boolean {
    return this.#slots.some((slot) => slot.life !== undefined && this.#groupOf(slot) === group)
  }

  #joinOneOf(group: string): void {
    const slot = this.#slots.find((each) => this.#groupOf(each) === group)
    if (slot !== undefined) this.#join(slot)
  }

  #groupOf({ number }: Slot): string {
    return number % 2 === 0 ? ORDERLY_GROUP : CONCURRENT_GROUP
  }

  /** Waits until the groups have committed everything; gives back how far they are. */
  async #drain(): Promise<ReadonlyMap<string, readonly GroupProgress[]>> {
    const admin = this.#admin()
    const untilMs = nowMs() + DRAIN_LIMIT_MS
    for (;;) {
      const progress = new Map<string, readonly GroupProgress[]>()
      for (const group of GROUPS) {
        const { queues } = await consumerProgress(admin, group, { topic: TOPIC })
        const rows = queues.map(({ queue, brokerOffset, consumerOffset }) => ({
          queue: `${queue.topic} ${queue.brokerName} ${queue.queueId}`,
          endOffset: brokerOffset,
          committedOffset: consumerOffset,
        }))
        progress.set(group, rows)
      }
      const isDone = [...progress.values()].every((rows) =>
        rows.every(({ committedOffset, endOffset }) => committedOffset === endOffset),
      )
      if (isDone || nowMs() > untilMs) return progress
      await pause(this.#host.clock, LOOK_MS)
    }
  }

  async #judge(
    progress: ReadonlyMap<string, readonly GroupProgress[]>,
    startMs: number,
  ): Promise<GroupStormReport> {
    const owners = await this.#owners()
    const history = this.#historyOf()
    const acknowledged = this.#sent.map(({ key, atMs, queue }) => ({ key, atMs, queue }))
    const standstills = standstillsIn(history.deliveries, acknowledged, GROUPS)
    for (const standstill of standstills) history.standstill(standstill)
    const findings = judgeStorm({
      ...{ history, owners, progress, stored: this.#sent },
      groups: GROUPS.map((group) => ({ group, isOrderly: group === ORDERLY_GROUP })),
    })
    for (const { complaints } of this.#all) {
      for (const sentence of complaints) findings.push({ rule: 'no process complains', sentence })
    }
    return {
      ...this.#counts,
      findings,
      killedMembers: this.#killed.length,
      acknowledged: this.#sent.length,
      delivered: history.deliveries.length,
      repeats: repeatsIn(history.deliveries).length,
      longestIdleMs: Math.max(0, ...standstills.map(({ fromMs, untilMs }) => untilMs - fromMs)),
      durationMs: nowMs() - startMs,
      folder: this.#folder,
    }
  }

  async #owners(): Promise<Map<string, Map<string, readonly string[]>>> {
    const owners = new Map<string, Map<string, string[]>>()
    const groups = new Map(this.#slots.map((slot) => [slot.life ?? '', this.#groupOf(slot)]))
    for (const group of GROUPS) {
      const queues = Array.from({ length: QUEUES }, (_, id) => `${TOPIC} ${BROKER} ${id}`)
      owners.set(group, new Map(queues.map((queue) => [queue, []])))
    }
    for (const running of this.#running) {
      for (const [member, queues] of (await running?.owners()) ?? []) {
        for (const queue of queues)
          owners
            .get(groups.get(member) ?? '')
            ?.get(queue)
            ?.push(member)
      }
    }
    return owners
  }

  /** What all processes said, in the order in which it happened. */
  #historyOf(): StormHistory {
    let timeMs = 0
    const history = new StormHistory(() => timeMs)
    for (const { key, queue, queueOffset } of this.#sent) {
      history.acknowledge(history.send(key), { queue, queueOffset })
    }
    for (const { atMs, life } of this.#killed) history.trouble(life, atMs, atMs)
    const events: { readonly atMs: number; readonly happen: () => void }[] = []
    for (const running of this.#all) events.push(...eventsOf(running, history, this.#groupNames()))
    for (const { atMs, happen } of events.sort((one, other) => one.atMs - other.atMs)) {
      timeMs = atMs
      happen()
    }
    return history
  }

  #groupNames(): (member: string) => string {
    const groups = new Map(
      this.#slots.map((slot) => [`member-${slot.number}`, this.#groupOf(slot)]),
    )
    return (member) => groups.get(member.split('/')[0] ?? '') ?? ''
  }

  #picked<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : list[this.#random.below(list.length)]
  }

  #tell(sentence: string): void {
    this.#options.say?.(sentence)
  }
}

/** What a process said of its handlers, and their end where it could not say it any more. */
function eventsOf(
  running: ConsumerProcess,
  history: StormHistory,
  groupOf: (member: string) => string,
): { readonly atMs: number; readonly happen: () => void }[] {
  const begun = new Map<string, ReturnType<StormHistory['deliver']>>()
  const events = running.facts.flatMap(({ atMs, by, done, got, offset, queue }) => {
    const name = `${by} ${queue} ${offset}`
    if (got !== undefined) {
      const group = groupOf(by)
      const happen = (): void => {
        const delivery = { group, member: by, key: got, queue, queueOffset: offset }
        begun.set(name, history.deliver(delivery))
      }
      return [{ atMs, happen }]
    }
    if (done === undefined) return []
    const happen = (): void => {
      const delivery = begun.get(name)
      begun.delete(name)
      if (delivery !== undefined) history.end(delivery, 'handled')
    }
    return [{ atMs, happen }]
  })
  if (running.killedAtMs === undefined) return events
  const cut = (): void => {
    for (const delivery of begun.values()) history.end(delivery, 'cut short')
  }
  return [...events, { atMs: running.goneAtMs, happen: cut }]
}
