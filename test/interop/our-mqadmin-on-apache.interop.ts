/** Our mqadmin on Apache's servers, with Java consumers (5.3.3): the verbs of groups. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { checkReset } from './consumer-facts.ts'
import {
  allOf,
  openMaker,
  openStage,
  type Stage,
  sendAll,
  until,
  untilDone,
} from './consumer-stage.ts'
import { expectUnchanged, range } from './expectations.ts'
import { checkMovedOffsets, checkRunningMember } from './group-admin-facts.ts'
import type { MemberMaker } from './group-member.ts'
import { openOurAdmin } from './our-mqadmin.ts'

describe("our mqadmin, Apache's servers, Java consumers", () => {
  let stage: Stage
  let java: MemberMaker

  beforeAll(async () => {
    const servers = inject('apacheServers')
    stage = await openStage(servers, openOurAdmin(inject('runDir'), servers.namesrv))
    java = await openMaker('5.3.3', servers.namesrv)
  })
  afterAll(async () => {
    await java.close()
    await stage.close()
  })

  test.concurrent('it sees a running member, and gives it a message directly', () =>
    checkRunningMember(stage, java))
  test.concurrent('it clones the offsets of a group, and skips what has piled up', () =>
    checkMovedOffsets(stage, java))
  test.concurrent('it moves a running group back to a time', () => checkReset(stage, java))
  test.concurrent('it lists dead letters, and sends chosen ones again', () =>
    checkResending(stage, java))
})

async function checkResending(stage: Stage, maker: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic('resending', 1)
  const failing = { tag: 'bad', times: 2 }
  const member = await maker.open({ group, topic, fail: failing, maxReconsumeTimes: 1 })
  const sent = await sendAll(stage, topic, range(0, 4), (index) => ({
    tag: index % 2 === 0 ? 'bad' : 'good',
  }))
  await untilDone([member], [1, 3])
  const count = (): number => allOf([member]).length
  await until('two tries of two messages', () => count() >= 6)
  const letters = async (): Promise<string> =>
    (await stage.admin.attempt('listDeadLetters', '-g', group)).output.join('\n')
  const ids = [0, 2].map((index) => sent[index]?.msgId ?? '')
  let listed = ''
  for (let tries = 0; tries < 20 && !ids.every((id) => listed.includes(id)); tries++) {
    listed = await letters()
  }
  for (const id of ids) expect(listed).toContain(id)

  const [first = ''] = ids
  const answer = await stage.admin.run('resendDeadLetters', '-g', group, '-i', first)
  expect(answer.at(-1)).toBe('1 were sent again.')
  await until('chosen message again', () => count() >= 7)
  await member.close()
  const again = allOf([member]).slice(6)
  expect(again).toMatchObject([{ index: '0', topic, keys: 'k0' }])
  expectUnchanged(again, 64)
}
