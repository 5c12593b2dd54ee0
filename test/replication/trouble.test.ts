/** What becomes of masters and slaves when machines die, networks fail, and logs part. */
import { responseCode } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { LOG, ReplicationScene } from './scene.ts'

const SYNC = 'brokerRole=SYNC_MASTER\n'
const topic = 'TopicTest'

/** Everything that is in the four queues of the topic. */
async function all(scene: ReplicationScene, name: string): Promise<string[]> {
  const queues: string[] = []
  for (let queueId = 0; queueId < 4; queueId++) {
    queues.push(...(await scene.bodies(name, topic, queueId)))
  }
  return queues.sort()
}

describe('a slave and its master have the same log again', () => {
  it('after the slave was killed, or lost power, in the middle', async () => {
    const scene = await ReplicationScene.started('', '')
    for (const end of ['kill', 'losePower'] as const) {
      await scene.sendMany(topic, 0, 100, 20_000)
      scene[end]('slave-1')
      await scene.sendMany(topic, 100, 200, 20_000)
      await scene.start('slave-1')
      await scene.untilEqual('master', 'slave-1')
    }
    expect(await all(scene, 'slave-1')).toEqual(await all(scene, 'master'))
  })

  it('after the master was killed', async () => {
    const scene = await ReplicationScene.started('', '')
    await scene.sendMany(topic, 0, 100, 2_000)
    await scene.killAndRestart('master')
    await scene.sendMany(topic, 100, 200, 2_000)
    await scene.untilEqual('master', 'slave-1')
    expect(await all(scene, 'slave-1')).toHaveLength(200)
  })

  it('within ten seconds after the network is mended, whichever way it was cut', async () => {
    const scene = await ReplicationScene.started('', '')
    await scene.sendMany(topic, 0, 10)
    const cuts = [
      () => scene.world.network.partition(['master'], ['slave-1']),
      () => scene.world.network.cutOneWay('master', 'slave-1'),
      () => scene.world.network.cutOneWay('slave-1', 'master'),
    ]
    for (const [i, cut] of cuts.entries()) {
      cut()
      await scene.sendMany(topic, i * 100, (i + 1) * 100)
      await scene.advance(60_000)
      scene.world.network.heal()
      await scene.untilEqual('master', 'slave-1', 10_000)
    }
  })

  it('when there are three of them', async () => {
    const scene = await ReplicationScene.started('', '', 'flushDiskType=SYNC_FLUSH')
    await scene.sendMany(topic, 0, 100, 20_000)
    await scene.untilEqual('master', 'slave-1')
    await scene.untilEqual('master', 'slave-2')
  })

  it('when the slave begins with nothing, long after its master', async () => {
    const scene = await ReplicationScene.started('')
    await scene.sendMany(topic, 0, 100, 30_000)
    await scene.start('slave-1', 'brokerRole=SLAVE\nbrokerId=1\n')
    await scene.untilEqual('master', 'slave-1')
    expect(scene.host('slave-1').disk.list(LOG)).toEqual(scene.host('master').disk.list(LOG))
    await scene.advance(15_000)
    expect(await all(scene, 'slave-1')).toHaveLength(100)
  })
})

describe('a synchronous master', () => {
  it('never acknowledges what is lost with it, if its slave has power', async () => {
    const scene = await ReplicationScene.started(SYNC, '')
    await scene.advance(3_000)
    const acknowledged: string[] = []
    const sending = Array.from({ length: 300 }, async (_, i) => {
      const answer = await scene.sending(topic, `m${i}`, { queueId: i % 4 }).catch(() => undefined)
      if (answer?.code === responseCode.SUCCESS) acknowledged.push(`m${i}`)
    })
    await scene.advance(4)
    scene.kill('master')
    await scene.settle(Promise.allSettled(sending))
    await scene.advance(2_000)
    const kept = new Set(await all(scene, 'slave-1'))
    expect(acknowledged.filter((body) => !kept.has(body))).toEqual([])
  })

  it('waits for two slaves with inSyncReplicas=3', async () => {
    const scene = await ReplicationScene.started(`${SYNC}inSyncReplicas=3`, '', '')
    await scene.advance(3_000)
    expect(await scene.send(topic, 'one')).toBe(responseCode.SUCCESS)
    await scene.stop('slave-2')
    expect(await scene.send(topic, 'two')).toBe(responseCode.SLAVE_NOT_AVAILABLE)
  })

  it('takes nothing with fewer brokers in step than minInSyncReplicas', async () => {
    const scene = await ReplicationScene.started(`${SYNC}minInSyncReplicas=2`, '')
    await scene.advance(3_000)
    expect(await scene.send(topic, 'one')).toBe(responseCode.SUCCESS)
    await scene.stop('slave-1')
    expect(await scene.send(topic, 'two')).toBe(responseCode.SYSTEM_ERROR)
    expect(await all(scene, 'master')).toEqual(['one'])
  })

  it('waits no more for a slave of which it heard nothing for eleven seconds', async () => {
    const scene = await ReplicationScene.started(SYNC, '')
    await scene.advance(3_000)
    scene.world.network.partition(['master'], ['slave-1'])
    await scene.advance(11_000)
    const sentMs = scene.world.clock.monotonicMs()
    expect(await scene.send(topic, 'one')).toBe(responseCode.SLAVE_NOT_AVAILABLE)
    expect(scene.world.clock.monotonicMs() - sentMs).toBeLessThan(1_000)
  })

  it('does not wait for a slave that is far behind', async () => {
    const scene = await ReplicationScene.started(`${SYNC}haMaxGapNotInSync=100000`, '')
    await scene.advance(3_000)
    scene.world.network.partition(['master'], ['slave-1'])
    await scene.sendMany(topic, 0, 20, 20_000)
    const sentMs = scene.world.clock.monotonicMs()
    expect(await scene.send(topic, 'one')).toBe(responseCode.SLAVE_NOT_AVAILABLE)
    expect(scene.world.clock.monotonicMs() - sentMs).toBeLessThan(1_000)
  })

  it('with a slave of SYNC_FLUSH acknowledges what survives the loss of power of both', async () => {
    const scene = await ReplicationScene.started(SYNC, 'flushDiskType=SYNC_FLUSH')
    await scene.advance(3_000)
    expect(await scene.send(topic, 'one')).toBe(responseCode.SUCCESS)
    scene.losePower('slave-1')
    scene.kill('master')
    await scene.start('slave-1')
    expect(await all(scene, 'slave-1')).toEqual(['one'])
  })
})

describe('when the log of a master goes on differently than that of its slave', () => {
  /** The master lost what its device did not have; its slave has it, and is not to be reached. */
  async function parted(slave = ''): Promise<ReplicationScene> {
    const scene = await ReplicationScene.started('flushIntervalCommitLog=60000', slave)
    await scene.sendMany(topic, 0, 40, 1_000)
    await scene.untilEqual('master', 'slave-1')
    await scene.stop('master')
    await scene.start('master')
    await scene.sendMany(topic, 40, 60, 1_000)
    await scene.untilEqual('master', 'slave-1')
    scene.losePower('master')
    scene.world.network.partition(['master'], ['slave-1'])
    return scene
  }

  it('the master gets back from its slave what it lost, if the slave is there', async () => {
    const scene = await parted()
    scene.world.network.heal()
    await scene.start('master')
    expect(await all(scene, 'master')).toHaveLength(60)
    await scene.sendMany(topic, 60, 80, 1_000)
    await scene.untilEqual('master', 'slave-1')
    await scene.killAndRestart('master')
    expect(await all(scene, 'master')).toHaveLength(80)
    expect(scene.host('slave-1').disk.list('/store/cutoff')).toEqual([])
    expect(scene.said('master')).toContain('What this master had lost is there again.')
  })

  it('the slave cuts off what the master lost, keeps it, and goes on', async () => {
    const scene = await parted()
    await scene.start('master')
    expect(await all(scene, 'master')).toHaveLength(40)
    scene.world.network.heal()
    await scene.untilEqual('master', 'slave-1')
    await scene.sendMany(topic, 100, 120, 1_000)
    await scene.untilEqual('master', 'slave-1')
    await scene.advance(15_000)
    expect(await all(scene, 'slave-1')).toEqual(await all(scene, 'master'))
    const [kept] = scene.host('slave-1').disk.list('/store/cutoff')
    expect(scene.fileBytes('slave-1', `/store/cutoff/${kept}`).toString()).toContain('m59')
    expect(scene.said('slave-1')).toContain('was cut off, as its master does not have it')
  })

  it('so it does when the master has gone on before it comes back', async () => {
    const scene = await parted()
    await scene.start('master')
    expect(await all(scene, 'master')).toHaveLength(40)
    await scene.sendMany(topic, 200, 260, 1_000)
    scene.world.network.heal()
    await scene.untilEqual('master', 'slave-1')
    await scene.advance(15_000)
    expect(await all(scene, 'slave-1')).toEqual(await all(scene, 'master'))
  })

  it('the slave cuts off nothing when it would be much, says so, and serves what it has', async () => {
    const scene = await parted('slaveMaxCutBytes=1000')
    await scene.start('master')
    scene.world.network.heal()
    await scene.advance(10_000)
    expect(await all(scene, 'slave-1')).toHaveLength(60)
    expect(scene.said('slave-1')).toContain('Nothing was changed')
    expect(scene.host('slave-1').disk.list('/store/cutoff')).toEqual([])
  })

  it('a master that lost its disk gets messages, topics and offsets back from its slave', async () => {
    const scene = await ReplicationScene.started('', '')
    await scene.sendMany(topic, 0, 40, 60_000)
    await scene.untilEqual('master', 'slave-1')
    await scene.advance(15_000)
    scene.kill('master')
    scene.host('master').disk.remove('/store')
    await scene.start('master')
    expect(await all(scene, 'master')).toHaveLength(40)
    await scene.sendMany(topic, 100, 180, 100)
    await scene.untilEqual('master', 'slave-1')
    expect(scene.said('master')).toContain('topics, groups and offsets of this master are there')
  })

  it('a master that begins with nothing takes nothing away from its slave', async () => {
    const scene = await ReplicationScene.started('', '')
    await scene.sendMany(topic, 0, 40, 100)
    await scene.untilEqual('master', 'slave-1')
    scene.kill('master')
    scene.host('master').disk.remove('/store')
    scene.world.network.partition(['master'], ['slave-1'])
    await scene.start('master')
    scene.world.network.heal()
    await scene.advance(10_000)
    await scene.sendMany(topic, 100, 180, 100)
    await scene.advance(60_000)
    expect(await all(scene, 'slave-1')).toHaveLength(40)
  })
})
