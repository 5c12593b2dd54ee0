/**
 * Brokers of both makers registered with one name server, ours or Apache's: routes, topics made
 * through it, messages spread over both brokers, and a broker that says good-bye.
 */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { endAll } from '../processes/child.ts'
import { apache } from './apache.ts'
import { expectEachOnce, expectQueueOrder, expectUnchanged } from './expectations.ts'
import { type ClientVersion, JavaClient, type Received } from './java-client.ts'
import { untilShared } from './java-client-facts.ts'
import { MqAdmin } from './mqadmin.ts'
import { ours } from './ours.ts'
import type { Broker, Server, ServerFamily } from './server.ts'
import { poll, registeredBrokers } from './wire.ts'

const clusterName = 'MixedCluster'
const queuesPerBroker = 2
const messageCount = 80

describeMixedCluster(ours)
describeMixedCluster(apache)

function describeMixedCluster(family: ServerFamily): void {
  describe(`an Apache broker and one of ours at ${family.label} name server`, () => {
    const runDir = inject('runDir')
    let nameServer: Server
    let brokers: readonly [Broker, Broker]
    let admin: MqAdmin

    beforeAll(async () => {
      nameServer = await family.startNameServer(runDir)
      const namesrv = nameServer.addr
      brokers = await Promise.all([
        apache.startBroker(runDir, { namesrv, name: 'mixed-apache', clusterName }),
        ours.startBroker(runDir, { namesrv, name: 'mixed-ours', clusterName }),
      ])
      admin = await MqAdmin.open(runDir, namesrv)
    })
    afterAll(endAll)

    test('clusterList shows both brokers', async () => {
      const output = (await admin.run('clusterList')).join('\n')
      for (const broker of brokers) {
        expect(output).toContain(broker.name)
        expect(output).toContain(broker.addr)
      }
    })

    for (const version of ['4.9.8', '5.3.3'] satisfies ClientVersion[]) {
      test(`Java client ${version} spreads messages over both and reads them back`, async () => {
        const topic = `mixed-${version.replaceAll('.', '-')}`
        await createTopic(admin, topic, brokers)
        const client = new JavaClient({
          ...{ runDir, version, header: 'ROCKETMQ', namesrv: nameServer.addr },
        })
        const received = await sendAndReceive(client, topic)
        expectEachOnce(received, 0, messageCount)
        expectUnchanged(received, 64)
        expectQueueOrder(received)
        for (const broker of brokers) {
          const share = received.filter((message) => message.broker === broker.name)
          expect(share.length).toBeGreaterThan(0)
        }
      })
    }

    test('a broker that is stopped in good order leaves the routes at once', async () => {
      await Promise.all(brokers.map((broker) => broker.stop()))
      const noneLeft = async (): Promise<boolean> =>
        (await registeredBrokers(nameServer.addr)).length === 0
      await poll('end of the registrations', noneLeft)
      const { errors } = await admin.attempt('topicRoute', '-t', 'mixed-5-3-3')
      expect(errors.join('\n')).toMatch(/No topic route info/)
    })
  })
}

async function createTopic(
  admin: MqAdmin,
  topic: string,
  brokers: readonly Broker[],
): Promise<void> {
  const count = String(queuesPerBroker)
  const output = await admin.run(
    ...['updateTopic', '-c', clusterName, '-t', topic, '-r', count, '-w', count],
  )
  for (const broker of brokers) {
    expect(output.join('\n')).toContain(`create topic to ${broker.addr} success`)
  }
}

async function sendAndReceive(client: JavaClient, topic: string): Promise<Received[]> {
  const group = `group-${topic}`
  const first = await client.consume({ topic, group })
  await first.until('all queues at one', () => first.queues.length === queuesPerBroker * 2)
  const second = await client.consume({ topic, group })
  await untilShared(first, second, queuesPerBroker * 2)
  await client.send({ topic, count: messageCount })
  const received = (): Received[] => [...first.messages, ...second.messages]
  await first.until(`${messageCount} messages`, () => received().length >= messageCount)
  await Promise.all([first.stop(), second.stop()])
  return received()
}
