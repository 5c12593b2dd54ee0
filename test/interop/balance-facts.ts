/**
 * Facts about groups whose members come and go while messages flow, for members of one kind and for
 * mixtures: whose client comes first and whose second is up to the caller.
 */
import { expect } from 'vitest'
import {
  allOf,
  type Stage,
  sendAll,
  startFlow,
  timesSeen,
  until,
  untilDone,
  untilShared,
} from './consumer-stage.ts'
import { range } from './expectations.ts'
import type { Handled, Member, MemberMaker } from './group-member.ts'

const queueCount = 6

/** Which messages were sent when. */
interface Change {
  readonly first: Member
  readonly second: Member
  readonly total: number
  /** The messages from the one number to before the other were sent while nothing changed. */
  readonly settled: readonly [number, number]
}

/** One member, then two, then only the second, all the time under a flow of messages. */
async function change(
  stage: Stage,
  topic: string,
  openFirst: () => Promise<Member>,
  openSecond: () => Promise<Member>,
): Promise<Change> {
  const first = await openAlone(openFirst)
  const flow = startFlow(stage, topic)
  await until('messages at the first', () => first.messages.length > 20)
  const second = await openSecond()
  await untilShared([first, second], queueCount)
  const settledFrom = flow.count + 1
  await until('messages while shared', () => flow.count > settledFrom + 60)
  const settledTo = settledFrom + 50
  await untilDone([first, second], range(0, settledTo))
  await first.close()
  await untilShared([second], queueCount)
  const total = await flow.stop()
  await untilDone([first, second], range(0, total))
  await second.close()
  return { first, second, total, settled: [settledFrom, settledTo] }
}

/**
 * A member that has all queues. While a Java client takes the queues of its first rebalance one by
 * one, it looks as if it shared them with a member that came meanwhile.
 */
async function openAlone(open: () => Promise<Member>): Promise<Member> {
  const member = await open()
  await untilShared([member], queueCount)
  return member
}

type Pair = readonly [first: MemberMaker, second: MemberMaker]

export async function checkJoiningAndLeaving(
  stage: Stage,
  name: string,
  makers: Pair,
): Promise<void> {
  const { topic, group } = await stage.newTopic(name, queueCount)
  const [open, openNext] = makers.map((maker) => () => maker.open({ group, topic })) as Openers
  const { first, second, total, settled } = await change(stage, topic, open, openNext)
  const all = allOf([first, second])
  const times = timesSeen(all, total)
  expect(times.slice(...settled)).toEqual(range(...settled).map(() => 1))
  if (makers.every((maker) => maker.name === 'ours')) expect(Math.max(...times)).toBe(1)
}

type Openers = [() => Promise<Member>, () => Promise<Member>]

const handleMs = 5

export async function checkOrder(stage: Stage, name: string, makers: Pair): Promise<void> {
  const { topic, group } = await stage.newTopic(name, queueCount)
  const options = { group, topic, orderly: true, handleMs }
  const [open, openNext] = makers.map((maker) => () => maker.open(options)) as Openers
  const { first, second, total, settled } = await change(stage, topic, open, openNext)
  const times = timesSeen(allOf([first, second]), total)
  expect(times.slice(...settled)).toEqual(range(...settled).map(() => 1))
  if (makers.every((maker) => maker.name === 'ours')) expect(Math.max(...times)).toBe(1)
  for (const queueId of range(0, queueCount)) {
    const calls = [first, second]
      .flatMap((member) => member.messages.map((message) => ({ ...message, member })))
      .filter((message) => message.queueId === queueId)
      .sort((one, other) => one.beganAt - other.beganAt || one.queueOffset - other.queueOffset)
    expectOneAtATime(calls)
    expectOrder(calls)
  }
}

/** Messages that fail once at either member: the next try may be at the other. */
export async function checkSharedRetry(stage: Stage, name: string, makers: Pair): Promise<void> {
  const { topic, group } = await stage.newTopic(name, queueCount)
  const options = { group, topic, fail: { tag: 'bad', times: 1 } }
  const [open, openNext] = makers.map((maker) => () => maker.open(options)) as Openers
  const first = await openAlone(open)
  const second = await openNext()
  await untilShared([first, second], queueCount)
  const count = queueCount * 4
  await sendAll(stage, topic, range(0, count), (index) => ({ tag: index % 2 ? 'bad' : 'good' }))
  await untilDone([first, second], range(0, count))
  await Promise.all([first.close(), second.close()])
  const calls = allOf([first, second])
  for (const index of range(0, count)) {
    const tries = calls.filter((call) => call.index === String(index))
    const outcomes = tries.map(({ outcome, reconsumeTimes }) => `${outcome} ${reconsumeTimes}`)
    const expected = index % 2 ? ['failed 0', 'done 1'] : ['done 0']
    expect([index, outcomes], JSON.stringify(tries)).toEqual([index, expected])
  }
}

type Call = Handled & { readonly member: Member }

function expectOneAtATime(calls: readonly Call[]): void {
  const overlaps = calls.filter((call, i) => call.beganAt < (calls[i - 1]?.endedAt ?? 0))
  expect(overlaps).toEqual([])
}

/** Offsets rise by one; only where another member takes over may some come again. */
function expectOrder(calls: readonly Call[]): void {
  const wrong = calls.filter(({ queueOffset, member }, i) => {
    const before = calls[i - 1]
    const next = before === undefined ? 0 : before.queueOffset + 1
    return before?.member === member ? queueOffset !== next : queueOffset > next
  })
  expect(wrong).toEqual([])
}
