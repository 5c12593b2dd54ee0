/** What operators see of messages that wait for their times, and of transactions that are open. */
import { DefaultProducer, TransactionProducer } from '@rockhopper/client'
import { describe, expect, it } from 'vitest'
import { listPendingTimersVerb } from '../../packages/admin/src/commands/waiting.ts'
import { ClusterScene } from './cluster-scene.ts'
import { Scene } from './scene.ts'

interface Listed {
  readonly count: number
  readonly hasMore: boolean
  readonly messages: readonly Record<string, unknown>[]
}

async function listed(scene: ClusterScene, verb: string, ...more: string[]): Promise<Listed> {
  return (await scene.json(verb, '-b', scene.brokerAddress, ...more)) as Listed
}

describe('messages that wait for their times', () => {
  async function waiting(): Promise<ClusterScene> {
    const scene = await ClusterScene.started()
    await scene.send(
      { topic: 'T', body: 'late', delayMs: 7_200_000, keys: 'k1' },
      { topic: 'T', body: 'soon', delayMs: 60_000, tag: 'A' },
      { topic: 'U', body: 'between', delayMs: 3_600_000 },
    )
    await scene.world.clock.advance(2_000)
    return scene
  }

  it('are listed by the time at which they are due, with what they are', async () => {
    const scene = await waiting()
    const { count, hasMore, messages } = await listed(scene, 'listPendingTimers')
    expect([count, hasMore]).toEqual([3, false])
    expect(messages.map(({ topic }) => topic)).toEqual(['T', 'U', 'T'])
    expect(messages[0]).toMatchObject({ tags: 'A', isRecalled: false })
    expect(messages[2]).toMatchObject({ keys: 'k1', brokerAddr: scene.brokerAddress })
    for (const [i, delayMs] of [60_000, 3_600_000, 7_200_000].entries()) {
      const { bornTimestamp, dueTimestamp } = messages[i] ?? {}
      const lateMs = Number(dueTimestamp) - Number(bornTimestamp) - delayMs
      expect(lateMs).toBeGreaterThanOrEqual(0)
      expect(lateMs).toBeLessThan(1_100)
    }
    const { out } = await scene.run('listPendingTimers', '-c', 'DefaultCluster')
    expect(out).toMatch(/^#Due +#Topic +#Message ID +#Keys +#State +#Recall Handle\n/)
    expect(out).toMatch(/ T +\w{32} +waits +\S{20,}\n/)
    expect(out).toContain('\n3 are listed; 3 wait in all.\n')
  })

  it('are listed for one topic, or a few of them', async () => {
    const scene = await waiting()
    const ofU = await listed(scene, 'listPendingTimers', '-t', 'U')
    expect(ofU.messages.map(({ topic }) => topic)).toEqual(['U'])
    expect(ofU.count).toBe(3)
    const first = await listed(scene, 'listPendingTimers', '-m', '1')
    expect(first.messages).toMatchObject([{ tags: 'A' }])
    expect(first.hasMore).toBe(true)
    const { out } = await scene.run('listPendingTimers', '-b', scene.brokerAddress, '-m', '2')
    expect(out).toContain('\n2 are listed, and there are more; 3 wait in all.\n')
  })

  it('have the handle by which they can be called off, and say when they were', async () => {
    const scene = await waiting()
    const before = await listed(scene, 'listPendingTimers', '-t', 'U')
    const handle = String(before.messages[0]?.['recallHandle'])
    const host = scene.world.host('recaller').doors
    const options = { group: 'senders', namesrvAddr: scene.nameServer, host }
    const producer = new DefaultProducer(options)
    await scene.settle(producer.start())
    await scene.settle(producer.recall('U', handle))
    await scene.world.clock.advance(2_000)
    const after = await listed(scene, 'listPendingTimers', '-t', 'U')
    expect(after.messages).toMatchObject([{ isRecalled: true }])
    await scene.world.clock.advance(3_610_000)
    expect((await listed(scene, 'listPendingTimers')).messages).toHaveLength(1)
  })
})

describe('transactions that are open', () => {
  it('are listed with their age and how often their producers were asked', async () => {
    const scene = await ClusterScene.started()
    const host = scene.world.host('payer').doors
    const open = async (group: string, body: string): Promise<TransactionProducer> => {
      const producer = new TransactionProducer({
        ...{ group, namesrvAddr: scene.nameServer, host },
        listener: {
          executeLocalTransaction: () => 'unknown',
          checkLocalTransaction: () => 'unknown',
        },
      })
      await scene.settle(producer.start())
      await scene.settle(producer.sendInTransaction({ topic: 'T', body, keys: body }, undefined))
      return producer
    }
    await open('payers', 'first')
    await scene.world.clock.advance(20_000)
    await open('others', 'second')
    await scene.world.clock.advance(1_000)
    const { count, messages } = await listed(scene, 'listOpenTransactions')
    expect(count).toBe(2)
    expect(messages).toMatchObject([
      { keys: 'first', producerGroup: 'payers', topic: 'T', checks: 1 },
      { keys: 'second', producerGroup: 'others', topic: 'T', checks: 0 },
    ])
    expect(Number(messages[0]?.['ageMs'])).toBeGreaterThan(20_000)
    expect(Number(messages[1]?.['ageMs'])).toBeLessThan(3_000)
    const ofOthers = await listed(scene, 'listOpenTransactions', '-g', 'others')
    expect(ofOthers.messages.map(({ keys }) => keys)).toEqual(['second'])
    const { out } = await scene.run('listOpenTransactions', '-b', scene.brokerAddress)
    expect(out).toMatch(
      /^#Begun +#Age\(s\) +#Checks +#Producer Group +#Topic +#Message ID +#Keys\n/,
    )
    expect(out).toMatch(/ 2\d\.\d +1 +payers +T +\w{32} +first\n/)
  })

  it('that were ended are not listed', async () => {
    const scene = await ClusterScene.started()
    expect(await listed(scene, 'listOpenTransactions')).toEqual({
      ...{ count: 0, messages: [], hasMore: false },
    })
  })
})

it('of a broker that does not list them, an operator hears so', async () => {
  const scene = await Scene.withBroker()
  const address = scene.addressOf('b1')
  const { errors, exitCode } = await scene.run(listPendingTimersVerb, '-b', address)
  expect(exitCode).toBe(1)
  expect(errors).toContain(`The broker ${address} does not list messages that wait`)
})
