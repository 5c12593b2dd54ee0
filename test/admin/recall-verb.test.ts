/** An operator calls messages off that wait for their times. */
import { encodeRecallHandle } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { ClusterScene } from './cluster-scene.ts'

const DELAY_MS = 60_000

async function waiting(): Promise<{ scene: ClusterScene; handle: string; msgId: string }> {
  const scene = await ClusterScene.started()
  const [sent] = await scene.sendAs({}, { topic: 'T', body: 'late', delayMs: DELAY_MS })
  await scene.world.clock.advance(2_000)
  return { scene, handle: sent?.recallHandle ?? '', msgId: sent?.msgId ?? '' }
}

describe('recallMessage', () => {
  it('calls a message off, which is never delivered, and says which it was', async () => {
    const { scene, handle, msgId } = await waiting()
    const { taken } = await scene.join('readers', 'T', '*')
    const recalled = await scene.json('recallMessage', '-r', handle)
    expect(recalled).toMatchObject({ msgId, topic: 'T', brokerName: 'broker-a' })
    const { dueTimestamp } = recalled as { dueTimestamp: number }
    const restMs = dueTimestamp - scene.world.clock.nowMs()
    expect(restMs).toBeGreaterThan(DELAY_MS - 10_000)
    expect(restMs).toBeLessThan(DELAY_MS)
    await scene.world.clock.advance(2 * DELAY_MS)
    expect(taken).toEqual([])
  })

  it('prints what it did as a table', async () => {
    const { scene, handle, msgId } = await waiting()
    const { errors, exitCode, out } = await scene.run('recallMessage', '-t', 'T', '-r', handle)
    expect([errors, exitCode]).toEqual(['', 0])
    expect(out).toMatch(/^#Topic +#Broker Name +#Was Due +#MsgId\nT +broker-a +time \d+ +/)
    expect(out).toContain(msgId)
  })

  it('leaves a message to its time when the handle is of another topic than is said', async () => {
    const { scene, handle } = await waiting()
    const { taken } = await scene.join('readers', 'T', '*')
    const { errors, exitCode } = await scene.run('recallMessage', '-t', 'U', '-r', handle)
    expect(exitCode).toBe(1)
    expect(errors).toContain('The handle is of a message to "T", not to "U": leave out -t')
    await scene.world.clock.advance(2 * DELAY_MS)
    expect(taken).toEqual(['late'])
  })

  it('says what a handle is when it was given none', async () => {
    const { scene } = await waiting()
    const { errors, exitCode } = await scene.run('recallMessage', '-r', 'nonsense')
    expect(exitCode).toBe(1)
    expect(errors).toContain('"nonsense" is no recall handle: mqadmin listPendingTimers shows')
  })

  it('says why a broker does not call a message off: it was delivered, or is not its own', async () => {
    const { scene, handle } = await waiting()
    await scene.world.clock.advance(2 * DELAY_MS)
    const late = await scene.run('recallMessage', '-r', handle)
    expect(late.exitCode).toBe(1)
    expect(late.errors).toContain('the message is due in -')
    const timestampMs = scene.world.clock.nowMs() + DELAY_MS
    const elsewhere = encodeRecallHandle({
      ...{ topic: 'T', brokerName: 'broker-z', timestampMs, uniqueKey: 'k' },
    })
    const { errors, exitCode } = await scene.run('recallMessage', '-r', elsewhere)
    expect(exitCode).toBe(1)
    expect(errors).toContain('broker-z')
  })
})
