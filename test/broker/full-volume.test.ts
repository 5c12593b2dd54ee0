/** A broker whose tables cannot be written for a while. */
import {
  GET_TOPIC_CONFIG,
  type Header,
  responseCode,
  UPDATE_AND_CREATE_TOPIC,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { BrokerScene, timeoutMs } from './scene.ts'

const times = Number.POSITIVE_INFINITY

test('a topic that cannot be saved is refused with a sentence, and works once there is room', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  expect((await client.send('old', 'before')).code).toBe(responseCode.SUCCESS)
  const { disk } = scene.world.host('broker')
  disk.fail({ operation: 'write', pathIncludes: 'topics.json', code: 'ENOSPC', times })

  const refused = await client.send('new', 'in vain')
  expect(refused.code).toBe(responseCode.SERVICE_NOT_AVAILABLE)
  expect(refused.remark).toMatch(/topics\.json.*no room is left on the volume.*make room/)
  const operator = await create(scene, 'made')
  expect(operator.code).toBe(responseCode.SERVICE_NOT_AVAILABLE)

  disk.clearFaults()
  expect((await client.send('new', 'again')).code).toBe(responseCode.SUCCESS)
  expect((await client.send('old', 'after')).code).toBe(responseCode.SUCCESS)
  expect((await create(scene, 'made')).code).toBe(responseCode.SUCCESS)
  await scene.killAndRestart()
  for (const topic of ['new', 'made']) {
    const { remoting } = scene.client()
    const get = remoting.call(scene.address, GET_TOPIC_CONFIG, { topic }, { timeoutMs })
    expect((await scene.settle(get)).code).toBe(responseCode.SUCCESS)
  }
})

test('a disk that stays full is complained about once for each table, not with every attempt', async () => {
  const scene = await BrokerScene.started('flushConsumerOffsetInterval=100')
  const { disk } = scene.world.host('broker')
  disk.fail({ operation: 'write', pathIncludes: '/store/config', code: 'ENOSPC', times })
  const client = scene.client()
  await client.send('T', 'kept')
  await client.pull('T', 0, { commitOffset: 1, sysFlag: 5 })
  await scene.world.clock.advance(20_000)
  const errors = scene.world.lines.filter(({ level }) => level === 'error')
  const paths = errors.map(({ fields }) => fields?.['path'])
  expect(paths.toSorted()).toEqual([...new Set(paths)].toSorted())
  expect(paths).toContain('/store/config/topics.json')
  expect(paths).toContain('/store/config/consumerOffset.json')
})

test('a broker that is told to stop with tables it cannot save closes its store all the same', async () => {
  const scene = await BrokerScene.started()
  const client = scene.client()
  await client.send('T', 'kept')
  const { disk } = scene.world.host('broker')
  disk.fail({ operation: 'write', pathIncludes: '/store/config', code: 'ENOSPC', times })
  await client.pull('T', 0, { commitOffset: 1, sysFlag: 5 })
  await expect(scene.stop()).rejects.toThrow(/no room is left on the volume/)
  expect(scene.world.host('broker').doors.disk.stat('/store/abort')).toBeUndefined()
})

type TopicHeader = Header<typeof UPDATE_AND_CREATE_TOPIC.tables.request>

function create(scene: BrokerScene, topic: string) {
  const header: TopicHeader = { topic, readQueueNums: 1, writeQueueNums: 1, perm: 6 }
  const { remoting } = scene.client()
  return scene.settle(remoting.call(scene.address, UPDATE_AND_CREATE_TOPIC, header, { timeoutMs }))
}
