/** Masters and slaves as brokers on simulated hosts. */
import { responseCode } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { ReplicationScene } from './scene.ts'

const SYNC = 'brokerRole=SYNC_MASTER\n'
const topic = 'TopicTest'

describe('a slave', () => {
  it('has the log of its master byte for byte, and serves it', async () => {
    const scene = await ReplicationScene.started('', '')
    await scene.sendMany(topic, 0, 200, 300)
    await scene.untilEqual('master', 'slave-1')
    await scene.advance(15_000)
    for (let queueId = 0; queueId < 4; queueId++) {
      const bodies = await scene.bodies('slave-1', topic, queueId)
      expect(bodies).toHaveLength(50)
      expect(bodies).toEqual(await scene.bodies('master', topic, queueId))
    }
  })

  it('gets several segments, and what it missed while it was away', async () => {
    const scene = await ReplicationScene.started('', '')
    await scene.sendMany(topic, 0, 40, 60_000)
    await scene.untilEqual('master', 'slave-1')
    await scene.stop('slave-1')
    await scene.sendMany(topic, 40, 80, 60_000)
    await scene.start('slave-1')
    await scene.untilEqual('master', 'slave-1')
    expect(scene.host('slave-1').disk.list('/store/commitlog')).toHaveLength(5)
  })
})

describe('a synchronous master', () => {
  it('acknowledges what its slave has', async () => {
    const scene = await ReplicationScene.started(SYNC, '')
    await scene.advance(3_000)
    expect(await scene.send(topic, 'one')).toBe(responseCode.SUCCESS)
    expect(await scene.logEnd('slave-1')).toBe(await scene.logEnd('master'))
  })

  it('says that there is no slave, and keeps the message', async () => {
    const scene = await ReplicationScene.started(SYNC)
    expect(await scene.send(topic, 'one')).toBe(responseCode.SLAVE_NOT_AVAILABLE)
    expect(await scene.bodies('master', topic, 0)).toEqual(['one'])
  })

  it('says that the slave did not get it in time', async () => {
    const scene = await ReplicationScene.started(SYNC, '')
    await scene.advance(3_000)
    scene.world.network.partition(['master'], ['slave-1'])
    const sentMs = scene.world.clock.monotonicMs()
    expect(await scene.send(topic, 'one')).toBe(responseCode.FLUSH_SLAVE_TIMEOUT)
    expect(scene.world.clock.monotonicMs() - sentMs).toBeCloseTo(3_000, -2)
    scene.world.network.heal()
    await scene.untilEqual('master', 'slave-1')
    expect(await scene.send(topic, 'two')).toBe(responseCode.SUCCESS)
  })

  it('does not wait for a message that says WAIT=false', async () => {
    const scene = await ReplicationScene.started(SYNC)
    const properties = Buffer.from('WAIT\x01false\x02')
    expect(await scene.send(topic, 'one', { properties })).toBe(responseCode.SUCCESS)
  })
})
