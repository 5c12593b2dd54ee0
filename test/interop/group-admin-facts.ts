/**
 * Facts about Apache's mqadmin and groups: what it asks running members, and what it changes.
 */
import { expect } from 'vitest'
import {
  doneOf,
  type Stage,
  sendAll,
  timesSeen,
  until,
  untilCommitted,
  untilDone,
} from './consumer-stage.ts'
import { expectEachOnce, range } from './expectations.ts'
import type { MemberMaker } from './group-member.ts'
import { poll } from './wire.ts'

type Fact = (title: string, check: (stage: Stage, maker: MemberMaker) => Promise<void>) => void

export function describeGroupAdmin(fact: Fact): void {
  fact('mqadmin sees a running member, and gives it a message directly', checkRunningMember)
  fact('mqadmin clones the offsets of a group, and skips what has piled up', checkMovedOffsets)
}

export async function checkRunningMember(stage: Stage, maker: MemberMaker): Promise<void> {
  const { admin, servers } = stage
  const { topic, group } = await stage.newTopic(`running-${maker.name}`, 2)
  const member = await maker.open({ group, topic, filter: 'TagA' })
  const sent = await sendAll(stage, topic, range(0, 6), () => ({ tag: 'TagA' }))
  await untilDone([member], range(0, 6))

  const connection = (await admin.run('consumerConnection', '-g', group)).join('\n')
  expect(connection).toContain('CONSUME_PASSIVELY')
  expect(connection).toContain('TagA')
  const clientId = /(\S+@\S+)/.exec(connection)?.[1] ?? ''
  expect(clientId).not.toBe('')

  const status = (await admin.run('consumerStatus', '-g', group)).join('\n')
  expect(status).toContain(clientId)
  expect(status).toContain('Same subscription in the same group of consumer')
  const ofOne = async (): Promise<string> =>
    (await admin.run('consumerStatus', '-g', group, '-i', clientId)).join('\n')
  const properties = await ofOne()
  expect(properties).toMatch(/#Consumer Properties#/)
  expect(properties).toMatch(new RegExp(`Topic: ${topic} .*SubExpression: TagA`))
  const place = `${topic}\\s+${servers.brokerName}\\s+`
  const rows = [0, 1].map((queueId) => new RegExp(`${place}${queueId}\\s+3\\s`))
  // A listener has returned before its message is counted.
  const areCounted = async (): Promise<boolean> => {
    const shown = await ofOne()
    return rows.every((row) => row.test(shown))
  }
  await poll(`offset 3 of both queues of ${topic} at ${clientId}`, areCounted)

  const id = sent[2]?.offsetMsgId ?? ''
  const direct = await admin.run(
    ...['queryMsgById', '-i', id, '-g', group, '-d', clientId, '-t', topic],
  )
  expect(direct.join('\n')).toContain('CR_SUCCESS')
  await until('message again', () => (timesSeen(doneOf([member]), 6)[2] ?? 0) >= 2)
  await member.close()
  expect(timesSeen(doneOf([member]), 6)).toEqual([1, 1, 2, 1, 1, 1])
}

export async function checkMovedOffsets(stage: Stage, maker: MemberMaker): Promise<void> {
  const { admin, servers } = stage
  const { topic, group } = await stage.newTopic(`moved-${maker.name}`, 2)
  const clone = `${group}-clone`
  const at = ['-b', servers.broker, '-g']
  await admin.run('updateSubGroup', ...at, clone, '-r', '3')
  await sendAll(stage, topic, range(0, 10))
  const source = await maker.open({ group, topic })
  await untilDone([source], range(0, 10))
  await source.close()
  await untilCommitted(stage, group, topic, [0, 1], 5)
  await admin.run('cloneGroupOffset', '-s', group, '-d', clone, '-t', topic, '-o', 'true')
  await sendAll(stage, topic, range(10, 14))
  const copy = await maker.open({ group: clone, topic })
  await untilDone([copy], range(10, 14))
  await copy.close()
  expectEachOnce(copy.messages, 10, 14)

  await admin.run('skipAccumulatedMessage', '-g', group, '-t', topic)
  await sendAll(stage, topic, range(14, 18))
  const next = await maker.open({ group, topic })
  await untilDone([next], range(14, 18))
  await next.close()
  expectEachOnce(next.messages, 14, 18)

  const config = (await admin.run('getConsumerConfig', '-g', clone)).join('\n')
  expect(config).toMatch(/retryMaxTimes\s*=\s*3/)
  await admin.run('deleteSubGroup', ...at, clone, '-r', 'true')
  const after = await admin.attempt('getConsumerConfig', '-g', clone)
  expect(after.output.join('\n')).not.toMatch(/retryMaxTimes\s*=\s*3/)
}
