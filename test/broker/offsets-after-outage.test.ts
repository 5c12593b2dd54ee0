/**
 * Where groups go on when the power failed and the log lost an end that they had consumed: a message
 * that is sent afterwards gets a place that was consumed once, and must be seen all the same.
 */
import { GET_MAX_OFFSET, QUERY_CONSUMER_OFFSET, UPDATE_CONSUMER_OFFSET } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { BrokerScene, recordsOf, type TestClient, timeoutMs } from './scene.ts'

const SETTINGS =
  'flushCommitLogThoroughInterval=1000000\nflushCommitLogLeastPages=1000\nflushConsumerOffsetInterval=100\n'

const queue = { topic: 'T', queueId: 0 }
const place = { ...queue, consumerGroup: 'consumers' }

/** A group has consumed ten messages, all longer than a page: the device may have only some. */
async function consumed(): Promise<BrokerScene> {
  const scene = await BrokerScene.started(SETTINGS)
  const client = scene.client()
  for (let i = 0; i < 10; i++) await client.send('T', `m${i}`.padEnd(5_000))
  const commit = client.remoting.call(
    scene.address,
    UPDATE_CONSUMER_OFFSET,
    { ...place, commitOffset: 10 },
    { timeoutMs },
  )
  await scene.settle(commit)
  await scene.world.clock.advance(500)
  return scene
}

async function committed(scene: BrokerScene, client: TestClient): Promise<number> {
  const asked = client.remoting.call(scene.address, QUERY_CONSUMER_OFFSET, place, { timeoutMs })
  return (await scene.settle(asked)).header().offset ?? -1
}

async function end(scene: BrokerScene, client: TestClient): Promise<number> {
  const asked = client.remoting.call(scene.address, GET_MAX_OFFSET, queue, { timeoutMs })
  return (await scene.settle(asked)).header().offset
}

describe('a group that had consumed what the log lost with the power', () => {
  test('goes on at the end of its queue, and sees what is sent next', async () => {
    const scene = await consumed()
    await scene.losePowerAndRestart()
    const client = scene.client()
    const left = await end(scene, client)
    expect(left).toBeLessThan(10)
    expect(await committed(scene, client)).toBe(left)
    await client.send('T', 'next')
    const [record] = recordsOf(await client.pull('T', await committed(scene, client)))
    expect(record?.body.toString()).toBe('next')
  })

  test('stays where it is when only the process of the broker was killed', async () => {
    const scene = await consumed()
    await scene.killAndRestart()
    const client = scene.client()
    expect(await end(scene, client)).toBe(10)
    expect(await committed(scene, client)).toBe(10)
  })
})
