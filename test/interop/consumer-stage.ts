/**
 * What the facts about consumers stand on: servers, makers of members, a producer, mqadmin, and the
 * waits and checks that many of the facts need.
 */
import { DefaultProducer, type Message, type SendResult } from '@rockhopper/client'
import { expect, inject } from 'vitest'
import { areShared, bodyOf, range } from './expectations.ts'
import type { Handled, Member, MemberMaker } from './group-member.ts'
import type { ClientVersion } from './java-client.ts'
import { openJavaMembers } from './java-members.ts'
import { type AdminTool, MqAdmin } from './mqadmin.ts'
import { openOurMembers } from './our-members.ts'
import { patienceMs } from './patience.ts'
import type { SharedServers } from './prepare.ts'
import { ask, makeTopic, poll } from './wire.ts'

export type MemberKind = ClientVersion | 'ours'

const bodySizeBytes = 64
const sendTimeoutMs = 10_000

export interface Stage {
  readonly servers: SharedServers
  readonly admin: AdminTool
  readonly producer: DefaultProducer
  /** A new topic and a group of its own; the names tell what they are for. */
  newTopic(what: string, queueCount: number): Promise<{ topic: string; group: string }>
  close(): Promise<void>
}

/** With Apache's mqadmin, unless another one is given. */
export async function openStage(servers: SharedServers, tool?: AdminTool): Promise<Stage> {
  const [admin, producer] = await Promise.all([
    tool ?? openAdmin(servers.namesrv),
    openProducer(servers.namesrv),
  ])
  await warmUp(servers, producer)
  return {
    servers,
    admin,
    producer,
    async newTopic(what, queueCount) {
      const topic = await makeTopic(servers, `${what}-${process.pid}`, queueCount)
      return { topic, group: `${topic}-group` }
    },
    async close() {
      admin.close()
      await producer.close()
    },
  }
}

export async function openMaker(kind: MemberKind, namesrv: string): Promise<MemberMaker> {
  const runDir = inject('runDir')
  return kind === 'ours'
    ? openOurMembers(runDir, namesrv)
    : await openJavaMembers(runDir, kind, namesrv)
}

/** The first command takes seconds on a busy machine: it is not one that a time limit is on. */
async function openAdmin(namesrv: string): Promise<MqAdmin> {
  const admin = await MqAdmin.open(inject('runDir'), namesrv)
  await admin.attempt('clusterList')
  return admin
}

async function openProducer(namesrvAddr: string): Promise<DefaultProducer> {
  const producer = new DefaultProducer({ group: 'facts-producer', namesrvAddr, sendTimeoutMs })
  await producer.start()
  return producer
}

/** A broker that was just started may need longer for its first answers than clients wait. */
async function warmUp(servers: SharedServers, producer: DefaultProducer): Promise<void> {
  const topic = await makeTopic(servers, `warm-${process.pid}`, 1)
  const isSent = (): Promise<boolean> =>
    producer.send({ topic, body: 'warm' }).then(
      () => true,
      () => false,
    )
  await poll('answer to a first message', isSent)
}

// ---- sending

type Details = Pick<Message, 'tag' | 'properties' | 'delayLevel'>

/** Sends the messages with these numbers: number N to queue N modulo the number of queues. */
export async function sendAll(
  { producer }: Stage,
  topic: string,
  indexes: readonly number[],
  detailsOf: (index: number) => Details = () => ({}),
): Promise<SendResult[]> {
  const results: SendResult[] = []
  for (const index of indexes) {
    const { properties, ...details } = detailsOf(index)
    const result = await producer.send(
      {
        ...details,
        ...{ topic, body: bodyOf(index, bodySizeBytes), keys: `k${index}` },
        properties: { ...properties, index: String(index) },
      },
      { selector: (queues) => queues[index % queues.length] ?? fail('a topic without queues') },
    )
    expect(result.status).toBe('SEND_OK')
    results.push(result)
  }
  return results
}

function fail(text: string): never {
  throw new Error(text)
}

export interface Flow {
  /** How many messages were sent so far. */
  readonly count: number
  /** Sends no more; tells how many there were. */
  stop(): Promise<number>
}

const flowPauseMs = 10

/** Sends messages all the time, numbered from 0, until it is stopped. */
export function startFlow(stage: Stage, topic: string): Flow {
  let count = 0
  let isStopped = false
  const sending = (async () => {
    while (!isStopped) {
      await sendAll(stage, topic, [count])
      count++
      await new Promise((resolve) => setTimeout(resolve, flowPauseMs))
    }
  })()
  // A failure is told by `stop`.
  sending.catch(() => undefined)
  return {
    get count() {
      return count
    },
    async stop() {
      isStopped = true
      await sending
      return count
    },
  }
}

// ---- waiting

export function until(what: string, holds: () => boolean): Promise<void> {
  return poll(what, async () => holds())
}

/**
 * Waits until the members own all queues between them, each its share and none twice. Where one came
 * after others, they must have had all before: a Java client takes queues one by one.
 */
export async function untilShared(members: readonly Member[], total: number): Promise<void> {
  const view = (): string => members.map((each) => `${each.label} ${each.queues}`).join('; ')
  const holds = (): boolean => {
    const owned = members.map(({ queues }) => queues)
    return areShared(owned, total)
  }
  try {
    await until('', holds)
  } catch {
    throw new Error(`within ${patienceMs} ms ${total} queues were not shared: ${view()}`)
  }
}

/** Waits until each of these numbers was handled with success. */
export async function untilDone(
  members: readonly Member[],
  indexes: readonly number[],
): Promise<void> {
  const missing = (): number[] => {
    const seen = new Set(doneOf(members).map((message) => Number(message.index)))
    return indexes.filter((index) => !seen.has(index))
  }
  try {
    await until('', () => missing().length === 0)
  } catch {
    throw new Error(`within ${patienceMs} ms these were not consumed: ${missing().slice(0, 50)}`)
  }
}

const queryConsumerOffset = 14

/**
 * Waits until the broker knows that a group has come to an offset in each of these queues. Java
 * clients commit without an answer: a broker may do first what is asked of it afterwards.
 */
export async function untilCommitted(
  { servers }: Stage,
  group: string,
  topic: string,
  queueIds: readonly number[],
  least: number,
): Promise<void> {
  const isCommitted = async (queueId: number): Promise<boolean> => {
    const queue = { topic, queueId: String(queueId), setZeroIfNotFound: 'true' }
    const { extFields } = await ask(servers.broker, queryConsumerOffset, {
      ...{ consumerGroup: group, ...queue },
    })
    return Number(extFields['offset'] ?? 0) >= least
  }
  const areAll = async (): Promise<boolean> => {
    return (await Promise.all(queueIds.map(isCommitted))).every(Boolean)
  }
  await poll(`offset ${least} of ${group} in the queues ${queueIds} of ${topic}`, areAll)
}

// ---- what was seen

export function doneOf(members: readonly Member[]): Handled[] {
  return allOf(members).filter((message) => message.outcome === 'done')
}

/** All calls of listeners of all members, in their order. */
export function allOf(members: readonly Member[]): Handled[] {
  return members
    .flatMap((member) => [...member.messages])
    .sort((one, other) => one.beganAt - other.beganAt || one.queueOffset - other.queueOffset)
}

/** How often each of the numbers from 0 to before `end` was seen. */
export function timesSeen(messages: readonly Handled[], end: number): number[] {
  const times = range(0, end).map(() => 0)
  for (const { index } of messages) times[Number(index)] = (times[Number(index)] ?? 0) + 1
  return times
}
