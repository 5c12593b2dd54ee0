/**
 * Facts about Apache's mqadmin, said once and checked against Apache's servers and ours: the commands
 * an operator uses daily must print the same things about both.
 */
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { JavaClient } from './java-client.ts'
import { untilShared } from './java-client-facts.ts'
import { MqAdmin } from './mqadmin.ts'
import type { SharedServers } from './prepare.ts'

const queueCount = 4
const messageCount = 40
const topic = 'admin-topic'
const group = 'admin-group'

export function describeMqAdmin(label: string, open: () => Promise<SharedServers>): void {
  describe(`Apache's mqadmin on ${label} servers`, () => {
    let servers: SharedServers
    let admin: MqAdmin
    let client: JavaClient

    beforeAll(async () => {
      servers = await open()
      const { namesrv } = servers
      admin = await MqAdmin.open(inject('runDir'), namesrv)
      client = new JavaClient({
        ...{ runDir: inject('runDir'), version: '5.3.3', header: 'JSON', namesrv },
      })
      return () => admin.close()
    })

    test('clusterList shows the broker, its address, id and version', async () => {
      const output = await admin.run('clusterList')
      const row = rowOf(output, servers.brokerName)
      expect(row.slice(0, 4)).toEqual([
        ...[servers.clusterName, servers.brokerName, '0', servers.broker],
      ])
      expect(row[4]).toMatch(/^V\d+_\d+_\d+/)
    })

    test('updateTopic makes a topic that topicRoute and topicList show', async () => {
      const count = String(queueCount)
      const made = await admin.run(
        ...['updateTopic', '-c', servers.clusterName, '-t', topic, '-r', count, '-w', count],
      )
      expect(made.join('\n')).toContain(`create topic to ${servers.broker} success.`)
      const route = await routeOf(admin, topic)
      expect(route.brokerDatas).toMatchObject([
        {
          brokerName: servers.brokerName,
          cluster: servers.clusterName,
          brokerAddrs: { 0: servers.broker },
        },
      ])
      expect(route.queueDatas).toMatchObject([
        {
          brokerName: servers.brokerName,
          readQueueNums: queueCount,
          writeQueueNums: queueCount,
          perm: 6,
        },
      ])
      expect(await admin.run('topicList')).toContain(topic)
    })

    test('updateTopic changes the queue numbers and permission of a topic', async () => {
      const name = 'admin-changed'
      const at = ['-b', servers.broker, '-t', name]
      await admin.run('updateTopic', ...at, '-r', '2', '-w', '2')
      await admin.run('updateTopic', ...at, '-r', '8', '-w', '6', '-p', '4')
      const route = await routeOf(admin, name)
      expect(route.queueDatas).toMatchObject([{ readQueueNums: 8, writeQueueNums: 6, perm: 4 }])
    })

    test('topicStatus shows how many messages each queue holds', async () => {
      await client.send({ topic, count: messageCount })
      const rows = (await admin.run('topicStatus', '-t', topic)).map(cells)
      const mine = rows.filter((row) => row[0] === servers.brokerName)
      expect(mine.map((row) => row[1])).toEqual(['0', '1', '2', '3'])
      expect(mine.map((row) => row[2])).toEqual(['0', '0', '0', '0'])
      expect(mine.reduce((sum, row) => sum + Number(row[3]), 0)).toBe(messageCount)
      expect(mine[0]?.[4]).toMatch(/^\d{4}-\d\d-\d\d$/)
    })

    test('consumerProgress and consumerConnection show a group that has read all', async () => {
      const topic = 'admin-progress'
      await admin.run('updateTopic', '-b', servers.broker, '-t', topic, '-r', '4', '-w', '4')
      const one = await client.consume({ topic, group })
      await one.until('all queues at one', () => one.queues.length === queueCount)
      const two = await client.consume({ topic, group })
      await untilShared(one, two, queueCount)
      const connection = await admin.run('consumerConnection', '-g', group)
      expect(connection.filter((line) => line.includes('JAVA'))).toHaveLength(2)
      expect(connection.join('\n')).toContain(topic)

      await client.send({ topic, count: messageCount })
      const count = (): number => one.messages.length + two.messages.length
      await one.until(`${messageCount} messages`, () => count() >= messageCount)
      await Promise.all([one.stop(), two.stop()])
      const progress = await admin.run('consumerProgress', '-g', group)
      const rows = progress.map(cells).filter((row) => row[0] === topic)
      expect(rows.map((row) => row.slice(2, 5))).toEqual(
        ['0', '1', '2', '3'].map((queueId) => [queueId, '10', '10']),
      )
      expect(progress.join('\n')).toMatch(/Consume Diff Total: 0/)
    })

    test('a topic that does not exist is reported as such', async () => {
      const { errors } = await admin.attempt('topicRoute', '-t', 'no-such-topic')
      expect(errors.join('\n')).toMatch(/CODE: 17 .*No topic route info/)
    })
  })
}

interface Route {
  readonly brokerDatas: readonly object[]
  readonly queueDatas: readonly object[]
}

/** Java's JSON has numbers for keys; ours must not. */
async function routeOf(admin: MqAdmin, name: string): Promise<Route> {
  const text = (await admin.run('topicRoute', '-t', name)).join('')
  return JSON.parse(text.replace(/([{,]\s*)(\d+)\s*:/g, '$1"$2":'))
}

function cells(line: string): string[] {
  return line.trim().split(/\s+/)
}

/** The cells of the only row that has this cell. */
function rowOf(output: readonly string[], cell: string): string[] {
  const rows = output.map(cells).filter((row) => row.includes(cell))
  expect(rows).toHaveLength(1)
  return rows[0] ?? []
}
