/** What a synchronous master waits for, and how soon who waits is told. */
import { createWorld } from '@rockhopper/sim'
import { expect, test } from 'vitest'
import { ReplicationAcks } from '../../packages/broker/src/services/replication-acks.ts'

const RULES = { enough: 1, timeoutMs: 3_000, leastInStep: 1 }

function scene() {
  const world = createWorld(1)
  const { clock } = world.host('master').doors
  const acks = new ReplicationAcks(clock, RULES)
  const followers = { followersNear: 1 }
  acks.attach(followers)
  return { acks, clock, followers, world }
}

test('a message that a slave has is as safe as promised', async () => {
  const { acks, world } = scene()
  const settled = acks.settled(100)
  acks.replicated(100)
  expect(await world.clock.settle(Promise.resolve(settled))).toBe('ok')
  expect(acks.settled(100)).toBe('ok')
})

test('a slave that takes too long is waited for no longer than configured', async () => {
  const { acks, clock, world } = scene()
  const settled = acks.settled(100)
  expect(await world.clock.settle(Promise.resolve(settled))).toBe('replica-timeout')
  expect(clock.monotonicMs()).toBeGreaterThanOrEqual(3_000)
})

test('who waits for a slave that goes learns it at once, and what comes later counts anew', async () => {
  const { acks, clock, followers, world } = scene()
  const settled = acks.settled(100)
  const beforeMs = clock.monotonicMs()
  followers.followersNear = 0
  acks.lost()
  expect(await world.clock.settle(Promise.resolve(settled))).toBe('replica-absent')
  expect(clock.monotonicMs() - beforeMs).toBeLessThan(10)
  followers.followersNear = 1
  const later = acks.settled(200)
  acks.replicated(200)
  expect(await world.clock.settle(Promise.resolve(later))).toBe('ok')
})

test('who waits goes on waiting while another slave is there', async () => {
  const { acks, world } = scene()
  const settled = acks.settled(100)
  acks.lost()
  acks.replicated(100)
  expect(await world.clock.settle(Promise.resolve(settled))).toBe('ok')
})
