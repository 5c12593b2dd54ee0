/**
 * The facts about consumers, said once and checked with Java clients and with ours, against Apache's
 * servers and ours. They run side by side, because most of their time is waiting.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { checkJoiningAndLeaving, checkOrder } from './balance-facts.ts'
import {
  allOf,
  doneOf,
  type MemberKind,
  openMaker,
  openStage,
  type Stage,
  sendAll,
  timesSeen,
  until,
  untilCommitted,
  untilDone,
  untilShared,
} from './consumer-stage.ts'
import { expectEachOnce, expectUnchanged, range } from './expectations.ts'
import { describeGroupAdmin } from './group-admin-facts.ts'
import type { Handled, LiteMember, MemberMaker } from './group-member.ts'
import { patienceMs } from './patience.ts'
import type { SharedServers } from './prepare.ts'

export function describeConsumers(
  label: string,
  kinds: readonly MemberKind[],
  open: () => Promise<SharedServers>,
): void {
  describe(`consumers on ${label} servers`, () => {
    let stage: Stage
    beforeAll(async () => {
      stage = await openStage(await open())
    })
    afterAll(() => stage.close())

    for (const kind of kinds) {
      describe(`${kind === 'ours' ? 'our client' : `Java client ${kind}`}`, () => {
        let maker: MemberMaker
        beforeAll(async () => {
          maker = await openMaker(kind, stage.servers.namesrv)
        })
        afterAll(() => maker.close())
        const fact = (title: string, check: (stage: Stage, maker: MemberMaker) => Promise<void>) =>
          test.concurrent(title, () => check(stage, maker))

        fact('members join and leave: nothing is lost, no queue is without an owner', (on, by) =>
          checkJoiningAndLeaving(on, `joining-${by.name}`, [by, by]),
        )
        fact('orderly members keep the order of a queue, one message at a time', (on, by) =>
          checkOrder(on, `order-${by.name}`, [by, by]),
        )
        fact('a failure in order holds back its queue until it succeeds', checkSuspension)
        fact('broadcasting gives each member all, and goes on where a member was', checkBroadcast)
        fact('tags and SQL92 choose messages', checkFilters)
        fact('an SQL92 expression that is wrong is told at the start', checkWrongFilter)
        fact('a delayed message comes when it is due', checkDelay)
        fact('a message that keeps failing becomes a dead letter', checkDeadLetter)
        fact('a running group is moved back to a time', checkReset)
        fact('lite pull with assigned queues seeks, polls and commits', checkLiteAssign)
        fact('lite pull with a subscription shares the queues', checkLiteSubscribe)
        describeGroupAdmin(fact)
      })
    }
  })
}

async function checkSuspension(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`suspend-${maker.name}`, 2)
  const rule = { tag: 'bad', times: 2 }
  const member = await maker.open({ group, topic, orderly: true, fail: rule })
  await sendAll(stage, topic, range(0, 20), (index) => ({ tag: index === 6 ? 'bad' : 'good' }))
  await untilDone([member], range(0, 20))
  await member.close()
  const calls = allOf([member]).filter(({ queueId }) => queueId === 0)
  const seen = calls.map(({ index, reconsumeTimes }) => `${index}/${reconsumeTimes}`)
  expect(seen).toEqual([
    ...['0/0', '2/0', '4/0', '6/0', '6/1', '6/2'],
    ...['8/0', '10/0', '12/0', '14/0', '16/0', '18/0'],
  ])
}

async function checkBroadcast(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`broadcast-${maker.name}`, 3)
  const open = (instance: string) =>
    maker.open({ group, topic, broadcasting: true, instance: `${instance}-${topic}` })
  const [one, two] = await Promise.all([open('one'), open('two')])
  await sendAll(stage, topic, range(0, 30))
  await Promise.all([untilDone([one], range(0, 30)), untilDone([two], range(0, 30))])
  expect(timesSeen(allOf([two]), 30)).toEqual(range(0, 30).map(() => 1))
  await two.close()

  await sendAll(stage, topic, range(30, 45))
  const again = await open('two')
  await Promise.all([untilDone([one], range(0, 45)), untilDone([again], range(30, 45))])
  await Promise.all([one.close(), again.close()])
  expectEachOnce(one.messages, 0, 45)
  expectEachOnce(again.messages, 30, 45)
}

const sql = "(price BETWEEN 5 AND 12 AND region IN ('eu', 'asia')) OR rush IS NOT NULL"

async function checkFilters(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`filter-${maker.name}`, 2)
  const tags = ['TagA', 'TagB', 'TagC']
  const regions = ['eu', 'us', 'asia', 'africa']
  const [byTags, bySql] = await Promise.all([
    maker.open({ group: `${group}-tags`, topic, filter: 'TagA || TagC' }),
    maker.open({ group: `${group}-sql`, topic, sql }),
  ])
  await sendAll(stage, topic, range(0, 36), (index) => ({
    tag: tags[index % 3] ?? '',
    properties: {
      ...(index % 5 === 4 ? {} : { price: String(index) }),
      ...(index > 30 ? { rush: 'yes' } : {}),
      region: regions[index % 4] ?? '',
    },
  }))
  const tagged = range(0, 36).filter((index) => index % 3 !== 1)
  const isPriced = (index: number): boolean => index >= 5 && index <= 12 && index % 5 !== 4
  const chosen = range(0, 36).filter((index) => (isPriced(index) && index % 2 === 0) || index > 30)
  await Promise.all([untilDone([byTags], tagged), untilDone([bySql], chosen)])
  await Promise.all([byTags.close(), bySql.close()])
  expect(numbersOf(byTags.messages)).toEqual(tagged)
  expect(numbersOf(bySql.messages)).toEqual(chosen)
}

async function checkWrongFilter(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`wrong-${maker.name}`, 1)
  const opening = maker.open({ group, topic, sql: "price > 3 AND AND region = 'eu'" })
  await expect(opening).rejects.toThrow(/CODE: 23|AND AND|column 15/)
}

/** Level 1; the broker may store a message a little after it was made. */
const delayMs = 1_000

async function checkDelay(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`delay-${maker.name}`, 2)
  const member = await maker.open({ group, topic })
  await sendAll(stage, topic, range(0, 6), (index) => (index < 4 ? { delayLevel: 1 } : {}))
  await untilDone([member], range(0, 6))
  await member.close()
  expectEachOnce(member.messages, 0, 6)
  for (const { beganAt, bornTimestamp, index, reconsumeTimes } of member.messages) {
    if (Number(index) < 4) expect(beganAt - bornTimestamp).toBeGreaterThanOrEqual(delayMs)
    expect(reconsumeTimes).toBe(0)
  }
}

async function checkDeadLetter(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`dead-${maker.name}`, 2)
  const fail = { tag: 'bad', times: 100 }
  const member = await maker.open({ group, topic, fail, maxReconsumeTimes: 2 })
  const sent = await sendAll(stage, topic, range(0, 6), (index) => ({
    tag: index === 3 ? 'bad' : 'good',
  }))
  const tries = (): Handled[] => allOf([member]).filter(({ index }) => index === '3')
  await until('three tries', () => tries().length >= 3)
  const dead = await readDeadLetters(maker, group)
  await member.close()

  const [origin] = sent.filter((_, index) => index === 3)
  expect(tries().map(({ reconsumeTimes }) => reconsumeTimes)).toEqual([0, 1, 2])
  expect(new Set(tries().map((each) => each.topic))).toEqual(new Set([topic]))
  expect(new Set(tries().map((each) => each.msgId))).toEqual(new Set([origin?.msgId]))
  expect(timesSeen(doneOf([member]), 6)).toEqual([1, 1, 1, 0, 1, 1])
  expect(dead).toMatchObject([
    { realTopic: topic, originId: origin?.offsetMsgId, tags: 'bad', keys: 'k3', index: '3' },
  ])
  expect(dead[0]).toMatchObject({ reconsumeTimes: 3, queueId: 0, queueOffset: 0 })
  expectUnchanged(dead, 64)
}

/** The first dead letters of a group, once there are some. */
export async function readDeadLetters(
  maker: MemberMaker,
  group: string,
): Promise<readonly Handled[]> {
  const reader = await maker.openLite({ group: `${group}-dead` })
  await eventually('queue of dead letters', () => reader.assign(`%DLQ%${group}`))
  await pollUntil([reader], () => reader.messages.length > 0)
  await reader.close()
  return reader.messages
}

export async function checkReset(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`reset-${maker.name}`, 2)
  const member = await maker.open({ group, topic })
  await sendAll(stage, topic, range(0, 20))
  await untilDone([member], range(0, 20))
  const lastMs = Math.max(...member.messages.map((message) => message.storeTimestamp))
  await new Promise((resolve) => setTimeout(resolve, 20))
  await sendAll(stage, topic, range(20, 30))
  await untilDone([member], range(0, 30))

  const at = String(lastMs + 1)
  const answer = await stage.admin.run('resetOffsetByTime', '-g', group, '-t', topic, '-s', at)
  expect(
    answer
      .map((line) => line.trim().split(/\s+/))
      .slice(-2)
      .sort(),
  ).toEqual([0, 1].map((queueId) => [stage.servers.brokerName, String(queueId), '10']))
  const times = (): number[] => timesSeen(doneOf([member]), 30)
  await until('messages seen again', () =>
    times()
      .slice(20)
      .every((count) => count >= 2),
  )
  await sendAll(stage, topic, range(30, 32))
  await untilDone([member], [30, 31])
  await member.close()
  expect(times()).toEqual([...range(0, 20).map(() => 1), ...range(20, 30).map(() => 2), 1, 1])
}

async function checkLiteAssign(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`lite-${maker.name}`, 2)
  await sendAll(stage, topic, range(0, 20))
  const first = await maker.openLite({ group })
  await first.assign(topic)
  await first.seek(`${stage.servers.brokerName}:0`, 7)
  // Before the queue was moved, some of it may have been fetched.
  const wanted = [...range(0, 20).filter((index) => index % 2 === 1), 14, 16, 18]
  const seen = (): Set<number> => new Set(numbersOf(first.messages))
  await pollUntil([first], () => wanted.every((index) => seen().has(index)))
  // A member tells of its queues by itself, maybe later than of its first messages.
  await until('both queues', () => first.queues.length === 2)
  expect(first.queues).toEqual([0, 1].map((queueId) => `${stage.servers.brokerName}:${queueId}`))
  await first.commit()
  await untilCommitted(stage, group, topic, [0, 1], 10)
  await first.close()

  await sendAll(stage, topic, range(20, 24))
  const second = await maker.openLite({ group })
  await second.assign(topic)
  await pollUntil([second], () => second.messages.length >= 4)
  await second.close()
  expectEachOnce(second.messages, 20, 24)
}

async function checkLiteSubscribe(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`lite-shared-${maker.name}`, 4)
  const open = () => maker.openLite({ group, topic, filter: 'TagA' })
  const first = await open()
  await untilShared([first], 4)
  const second = await open()
  await untilShared([first, second], 4)
  const tagged = (index: number) => ({ tag: index % 8 < 4 ? 'TagA' : 'TagB' })
  await sendAll(stage, topic, range(0, 40), tagged)
  const wanted = range(0, 40).filter((index) => index % 8 < 4)
  await pollUntil([first, second], () => allOf([first, second]).length >= wanted.length)
  expect(numbersOf(allOf([first, second]))).toEqual(wanted)
  expect(Math.min(first.messages.length, second.messages.length)).toBeGreaterThan(0)

  await first.commit()
  const given = first.queues.map((queue) => Number(queue.split(':')[1]))
  // The last but one of the ten messages of a queue is wanted, the last is not.
  await untilCommitted(stage, group, topic, given, 9)
  await first.close()
  await untilShared([second], 4)
  await sendAll(stage, topic, range(40, 44), tagged)
  await pollUntil([second], () => numbersOf(second.messages).filter((i) => i >= 40).length >= 4)
  await second.commit()
  await second.close()
  expect(numbersOf(allOf([first, second]))).toEqual([...wanted, 40, 41, 42, 43])
}

/** Polls all of the members in turn until the condition holds. */
async function pollUntil(members: readonly LiteMember[], holds: () => boolean): Promise<void> {
  const end = Date.now() + patienceMs
  while (!holds()) {
    if (Date.now() > end) {
      throw new Error(`within ${patienceMs} ms polls gave only ${numbersOf(allOf(members))}`)
    }
    await Promise.all(members.map((member) => member.poll()))
  }
}

/** Tries again until it does not fail any more. */
async function eventually(what: string, attempt: () => Promise<void>): Promise<void> {
  let failure: unknown
  const succeeds = (): Promise<boolean> =>
    attempt().then(
      () => true,
      (error) => {
        failure = error
        return false
      },
    )
  const end = Date.now() + patienceMs
  while (!(await succeeds())) {
    if (Date.now() > end) throw new Error(`there was no ${what}`, { cause: failure })
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

function numbersOf(messages: readonly Handled[]): number[] {
  return messages.map(({ index }) => Number(index)).sort((a, b) => a - b)
}
