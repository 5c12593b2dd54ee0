/**
 * A fact about the unmodified Java client beyond sending and consuming: it looks messages up by their
 * ids. Checked against any pair of servers.
 */
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { expectUnchanged } from './expectations.ts'
import { type ClientVersion, JavaClient } from './java-client.ts'
import { MqAdmin } from './mqadmin.ts'
import type { SharedServers } from './prepare.ts'

const versions: readonly ClientVersion[] = ['4.9.8', '5.3.3']

/** A client with topics of its own on some servers. */
interface Stage {
  readonly client: JavaClient
  createTopic(topic: string, queues: number): Promise<string[]>
}

export function describeLookup(label: string, open: () => Promise<SharedServers>): void {
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

      test('a message is found again by its offset id and by its unique key', async () => {
        const topic = `lookup-${version.replaceAll('.', '-')}`
        await stage.createTopic(topic, 1)
        const flags = { topic, count: 3, tags: 'TagA', 'key-prefix': 'v' }
        const sent = await stage.client.send(flags)
        const ids = sent.flatMap((each) => [each.offsetMsgId ?? '', each.msgId])
        const viewed = await stage.client.view(topic, ids)
        expect(viewed.map((each) => each.keys)).toEqual(['v0', 'v0', 'v1', 'v1', 'v2', 'v2'])
        expectUnchanged(viewed, 64)
      })
    })
  }
}
