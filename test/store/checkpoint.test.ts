/** A checkpoint takes its time: what happens to queues meanwhile must not be lost to the next start. */
import { describe, expect, it } from 'vitest'
import { StoreScene } from './scene.ts'

describe('while a checkpoint is under way', () => {
  it('a topic that is deleted stays deleted', async () => {
    const scene = await StoreScene.opened()
    await scene.putNumbered(0, 5)
    scene.host.disk.syncDelay = [20, 20]
    const checkpoint = scene.store.checkpoint()
    await scene.world.clock.advance(5)
    await scene.settle(scene.store.deleteTopic('TopicTest'))
    await scene.settle(checkpoint)
    await scene.reopen()
    expect(scene.store.queueBounds('TopicTest', 0)).toEqual({ minOffset: 0, maxOffset: 0 })
  })

  it('a volume that becomes full loses no queue that was saved before', async () => {
    const scene = await StoreScene.opened({ tailMemoryBytes: 1024 })
    await scene.settle(scene.store.checkpoint())
    for (let queueId = 0; queueId < 8; queueId++) await scene.put({ queueId })
    for (let i = 0; i < 40; i++) await scene.put({ body: Buffer.alloc(1_000) })
    scene.host.disk.fail({
      ...{ operation: 'write', pathIncludes: 'TopicTest/7/', code: 'ENOSPC' },
    })
    await expect(scene.settle(scene.store.checkpoint())).rejects.toThrow('ENOSPC')
    await scene.reopen()
    for (let queueId = 1; queueId < 8; queueId++) {
      expect(await scene.bodies('TopicTest', queueId)).toEqual(['Hello'])
    }
  })

  it('a queue that gets its first message, saved at once, has it after the next start', async () => {
    const scene = await StoreScene.opened({ flushDisk: 'sync', tailMemoryBytes: 1024 })
    for (let queueId = 0; queueId < 8; queueId++) await scene.put({ queueId })
    scene.host.disk.syncDelay = [20, 20]
    const late = scene.append({ queueId: 9 })
    const checkpoint = scene.store.checkpoint()
    await scene.settle(scene.store.settled(late.endOffset, { waitForFlush: true }))
    // So much that the message is not in memory any more.
    for (let i = 0; i < 40; i++) scene.append({ body: Buffer.alloc(1_000) })
    await scene.settle(checkpoint)
    await scene.reopen()
    expect(scene.store.queueBounds('TopicTest', 9)).toEqual({ minOffset: 0, maxOffset: 1 })
    expect(await scene.bodies('TopicTest', 9)).toEqual(['Hello'])
  })
})
