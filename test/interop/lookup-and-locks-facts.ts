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

/** A client with topics of its own on some servers. */
interface Stage {
  readonly client: JavaClient
  createTopic(topic: string, queues: number): Promise<string[]>
}

type Fact = (title: string, check: (stage: Stage, name: string) => Promise<void>) => void

export function describeLookup(label: string, open: () => Promise<SharedServers>): void {
  describeBeyond(label, open, (fact) => {
    fact('a message is found again by its offset id and by its unique key', async (stage, name) => {
      const topic = `lookup-${name}`
      await stage.createTopic(topic, 1)
      const sent = await stage.client.send({ topic, count: 3, tags: 'TagA', 'key-prefix': 'v' })
      const ids = sent.flatMap((each) => [each.offsetMsgId ?? '', each.msgId])
      const viewed = await stage.client.view(topic, ids)
      expect(viewed.map((each) => each.keys)).toEqual(['v0', 'v0', 'v1', 'v1', 'v2', 'v2'])
      expectUnchanged(viewed, 64)
    })
  })
}

export function describeLocks(label: string, open: () => Promise<SharedServers>): void {
  describeBeyond(label, open, (fact) => {
    fact(
      'two orderly instances lock their queues and keep the order in each',
      async (stage, name) => {
        const topic = `orderly-${name}`
        await stage.createTopic(topic, 4)
        const flags = { topic, group: `orderly-group-${name}`, orderly: true, threads: 4 } as const
        const first = await stage.client.consume(flags)
        const second = await stage.client.consume(flags)
        await untilShared(first, second, 4)
        await stage.client.send({ topic, count: messageCount })
        const count = (): number => first.messages.length + second.messages.length
        await first.until(`${messageCount} messages`, () => count() >= messageCount)
        await Promise.all([first.stop(), second.stop()])
        expectEachOnce([...first.messages, ...second.messages], 0, messageCount)
        expectQueueOrder(first.messages)
        expectQueueOrder(second.messages)
      },
    )
  })
}

function describeBeyond(
  label: string,
  open: () => Promise<SharedServers>,
  tell: (fact: Fact) => void,
): void {
  for (const version of versions) {
    describe(`Java client ${version} beyond sending and consuming, ${label} servers`, () => {
      let stage: Stage

      beforeAll(async () => {
        const { namesrv, clusterName } = await open()
        const runDir = inject('runDir')
        const admin = await MqAdmin.open(runDir, namesrv)
        stage = {
          client: new JavaClient({ runDir, version, header: 'JSON', namesrv }),
          createTopic: (topic, queues) =>
            admin.run(
              ...['updateTopic', '-c', clusterName, '-t', topic],
              ...['-r', String(queues), '-w', String(queues)],
            ),
        }
        return () => admin.close()
      })
      tell((title, check) => test(title, () => check(stage, version.replaceAll('.', '-'))))
    })
  }
}
