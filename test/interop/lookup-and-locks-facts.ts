/**
 * Facts about the unmodified Java client beyond plain sending and consuming: looking a message up by
 * its ids, and consuming in order under queue locks. Checked against any pair of servers.
 */
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { expectEachOnce, expectQueueOrder, expectUnchanged } from './expectations.ts'
import { type ClientVersion, JavaClient } from './java-client.ts'
import { untilShared } from './java-client-facts.ts'
import { MqAdmin } from './mqadmin.ts'
import type { SharedServers } from './prepare.ts'

const versions: readonly ClientVersion[] = ['4.9.8', '5.3.3']
const messageCount = 40

export function describeLookupAndLocks(label: string, open: () => Promise<SharedServers>): void {
  for (const version of versions) {
    describe(`Java client ${version} beyond sending and consuming, ${label} servers`, () => {
      const name = version.replaceAll('.', '-')
      let client: JavaClient
      let createTopic: (topic: string, queues: number) => Promise<string[]>

      beforeAll(async () => {
        const { namesrv, clusterName } = await open()
        const runDir = inject('runDir')
        client = new JavaClient({ runDir, version, header: 'JSON', namesrv })
        const admin = await MqAdmin.open(runDir, namesrv)
        createTopic = (topic, queues) =>
          admin.run(
            ...['updateTopic', '-c', clusterName, '-t', topic],
            ...['-r', String(queues), '-w', String(queues)],
          )
        return () => admin.close()
      })

      test('a message is found again by its offset id and by its unique key', async () => {
        const topic = `lookup-${name}`
        await createTopic(topic, 1)
        const sent = await client.send({ topic, count: 3, tags: 'TagA', 'key-prefix': 'v' })
        const ids = sent.flatMap((each) => [each.offsetMsgId ?? '', each.msgId])
        const viewed = await client.view(topic, ids)
        expect(viewed.map((each) => each.keys)).toEqual(['v0', 'v0', 'v1', 'v1', 'v2', 'v2'])
        expectUnchanged(viewed, 64)
      })

      test('two orderly instances lock their queues and keep the order in each', async () => {
        const topic = `orderly-${name}`
        await createTopic(topic, 4)
        const group = `orderly-group-${name}`
        const first = await client.consume({ topic, group, orderly: true, threads: 4 })
        const second = await client.consume({ topic, group, orderly: true, threads: 4 })
        await untilShared(first, second, 4)
        await client.send({ topic, count: messageCount })
        const count = (): number => first.messages.length + second.messages.length
        await first.until(`${messageCount} messages`, () => count() >= messageCount)
        await Promise.all([first.stop(), second.stop()])
        expectEachOnce([...first.messages, ...second.messages], 0, messageCount)
        expectQueueOrder(first.messages)
        expectQueueOrder(second.messages)
      })
    })
  }
}
