/**
 * Groups with a member of the Java client and one of ours, in both orders of arrival: they share the
 * queues, take them over from each other, and keep the order where it is asked for.
 */
import { afterAll, beforeAll, describe, inject, test } from 'vitest'
import { checkJoiningAndLeaving, checkOrder, checkSharedRetry } from './balance-facts.ts'
import { openMaker, openStage, type Stage } from './consumer-stage.ts'
import type { MemberMaker } from './group-member.ts'
import type { ClientVersion } from './java-client.ts'
import { openOurAdmin } from './our-mqadmin.ts'
import { openOurServers } from './our-servers.ts'
import type { SharedServers } from './prepare.ts'
import { poll } from './wire.ts'

describeMixedGroups('our', ['4.9.8', '5.3.3'], openOurServers)
describeMixedGroups('Apache', ['5.3.3'], async () => inject('apacheServers'))

function describeMixedGroups(
  label: string,
  versions: readonly ClientVersion[],
  open: () => Promise<SharedServers>,
): void {
  for (const version of versions) {
    describe(`groups of Java client ${version} and ours on ${label} servers`, () => {
      let stage: Stage
      let java: MemberMaker
      let ours: MemberMaker
      beforeAll(async () => {
        const servers = await open()
        stage = await openStage(servers)
        java = await openMaker(version, servers.namesrv)
        ours = await openMaker('ours', servers.namesrv)
      })
      afterAll(async () => {
        await Promise.all([java.close(), ours.close()])
        await stage.close()
      })

      test.concurrent('Java, then ours: queues are shared and taken over', () =>
        checkJoiningAndLeaving(stage, `mixed-jo-${java.name}`, [java, ours]))
      test.concurrent('ours, then Java: queues are shared and taken over', () =>
        checkJoiningAndLeaving(stage, `mixed-oj-${java.name}`, [ours, java]))
      test.concurrent('Java, then ours, in order: one message of a queue at a time', () =>
        checkOrder(stage, `mixed-order-jo-${java.name}`, [java, ours]))
      test.concurrent('ours, then Java, in order: one message of a queue at a time', () =>
        checkOrder(stage, `mixed-order-oj-${java.name}`, [ours, java]))
      test.concurrent('what fails at one of them is tried again, at either', () =>
        checkSharedRetry(stage, `mixed-retry-${java.name}`, [java, ours]))
      test.concurrent('our mqadmin tells of members with different subscriptions', () =>
        checkDifference(stage, java, ours))
    })
  }
}

/** Apache's mqadmin compares members only when they have run for two minutes. */
async function checkDifference(stage: Stage, java: MemberMaker, ours: MemberMaker): Promise<void> {
  const { topic, group } = await stage.newTopic(`mixed-different-${java.name}`, 2)
  const admin = openOurAdmin(inject('runDir'), stage.servers.namesrv)
  const status = async (): Promise<string> => {
    const { output } = await admin.attempt('consumerStatus', '-g', group)
    return output.join('\n')
  }
  // Brokers know members since their heartbeats, and those a little later than they start.
  const untilSaid = (texts: readonly string[]): Promise<void> =>
    poll(`"${texts.join('", "')}" in the status of ${group}`, async () => {
      const said = await status()
      return texts.every((text) => said.includes(text))
    })
  const one = await java.open({ group, topic, filter: 'TagA' })
  await untilSaid(['Same subscription in the same group of consumer'])
  const other = await ours.open({ group, topic, filter: 'TagB' })
  await untilSaid(['WARN: Different subscription in the same group of consumer', 'TagA', 'TagB'])
  await Promise.all([one.close(), other.close()])
}
