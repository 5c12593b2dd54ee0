/** A member that was cut off does not put its group back by what it says late. */
import {
  courtesyGroupOf,
  encodeQueueLockRequest,
  LOCK_BATCH_MQ,
  pullFlag,
  QUERY_CONSUMER_OFFSET,
  UNLOCK_BATCH_MQ,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { BrokerScene, type TestClient, timeoutMs } from './scene.ts'

const GROUP = 'consumers'
const LEASE_MS = 25_000
const place = { consumerGroup: GROUP, topic: 'T', queueId: 0 }

class Group {
  readonly scene: BrokerScene

  constructor(scene: BrokerScene) {
    this.scene = scene
  }

  static async started(): Promise<Group> {
    const group = new Group(await BrokerScene.started())
    await group.scene.client().send('T', 'a')
    return group
  }

  member(): TestClient {
    return this.scene.client()
  }

  async lock(member: TestClient, lockGroup: string, leaseMs?: number): Promise<void> {
    const body = [requestOf(member, lockGroup)]
    const { address } = this.scene
    await this.scene.settle(
      member.remoting.call(address, LOCK_BATCH_MQ, { leaseMs }, { body, timeoutMs }),
    )
  }

  async unlock(member: TestClient, lockGroup: string): Promise<void> {
    const body = [requestOf(member, lockGroup)]
    const { address } = this.scene
    await this.scene.settle(member.remoting.call(address, UNLOCK_BATCH_MQ, {}, { body, timeoutMs }))
  }

  /** What the broker remarks. */
  async commit(member: TestClient, commitOffset: number): Promise<string | undefined> {
    const header = { ...place, commitOffset }
    const { address } = this.scene
    const answer = await this.scene.settle(
      member.remoting.call(address, UPDATE_CONSUMER_OFFSET, header, { timeoutMs }),
    )
    return answer.remark
  }

  async offset(member = this.member()): Promise<number> {
    const asked = member.remoting.call(this.scene.address, QUERY_CONSUMER_OFFSET, place, {
      timeoutMs,
    })
    return (await this.scene.settle(asked)).header().offset
  }
}

function requestOf({ clientId }: TestClient, consumerGroup: string): Buffer {
  const queues = [{ topic: 'T', brokerName: 'broker-a', queueId: 0 }]
  return encodeQueueLockRequest({ clientId, consumerGroup, queues, onlyThisBroker: false })
}

for (const [kind, lockGroup] of [
  ['concurrent', courtesyGroupOf(GROUP)],
  ['orderly', GROUP],
] as const) {
  test(`who lost a queue of a ${kind} group to another member does not put the group back`, async () => {
    const group = await Group.started()
    const [cut, other] = [group.member(), group.member()]
    await group.lock(cut, lockGroup, LEASE_MS)
    await group.commit(cut, 5)
    await group.scene.world.clock.advance(LEASE_MS + 1_000)
    await group.lock(other, lockGroup, LEASE_MS)
    await group.commit(other, 100)
    expect(await group.commit(cut, 7)).toContain('another member')
    await cut.pull('T', 0, {
      ...{ commitOffset: 8, sysFlag: pullFlag.subscription | pullFlag.commitOffset },
    })
    expect(await group.offset()).toBe(100)
  })
}

test('who has its queue for itself may put its group back', async () => {
  const group = await Group.started()
  const member = group.member()
  await group.lock(member, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(member, 100)
  await group.commit(member, 40)
  expect(await group.offset()).toBe(40)
})

test('who lost a queue that another took, and gave back, does not put the group back', async () => {
  const group = await Group.started()
  const [cut, other] = [group.member(), group.member()]
  await group.lock(cut, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(cut, 5)
  await group.scene.world.clock.advance(LEASE_MS + 1_000)
  await group.lock(other, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(other, 100)
  await group.unlock(other, courtesyGroupOf(GROUP))
  expect(await group.commit(cut, 7)).toContain('another member')
  expect(await group.offset()).toBe(100)
  // What was on the wire comes in its order: a lock alone tells nobody where the group is.
  await group.lock(cut, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(cut, 8)
  expect(await group.offset(cut)).toBe(100)
  await group.commit(cut, 7)
  expect(await group.offset()).toBe(7)
})

test('a lock that lapsed keeps nobody from committing when no other member took it', async () => {
  const group = await Group.started()
  const member = group.member()
  await group.lock(member, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(member, 100)
  await group.scene.world.clock.advance(LEASE_MS + 1_000)
  await group.commit(member, 40)
  expect(await group.offset()).toBe(40)
})

test('who gave up waiting for one that is cut off goes on, and that one does not put it back', async () => {
  const group = await Group.started()
  const [cut, other] = [group.member(), group.member()]
  await group.lock(cut, courtesyGroupOf(GROUP), LEASE_MS)
  await group.lock(other, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(cut, 5)
  await group.commit(other, 100)
  await group.commit(cut, 7)
  expect(await group.offset()).toBe(100)
  // Who is in front again is the one that counts.
  await group.commit(cut, 101)
  await group.commit(cut, 90)
  expect(await group.offset()).toBe(90)
})

test('who was told where the group is may put it back, as when a queue has lost its end', async () => {
  const group = await Group.started()
  const [first, second] = [group.member(), group.member()]
  await group.lock(first, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(first, 100)
  await group.lock(second, courtesyGroupOf(GROUP), LEASE_MS)
  expect(await group.offset(second)).toBe(100)
  await group.commit(second, 40)
  expect(await group.offset()).toBe(40)
})

test('who lost a queue to a member of another library does not put the group back, either', async () => {
  const group = await Group.started()
  const [ours, theirs] = [group.member(), group.member()]
  await group.lock(ours, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(ours, 5)
  await group.commit(theirs, 100)
  await group.commit(ours, 7)
  expect(await group.offset()).toBe(100)
})

test("members that know no such locks, and operators' tools, commit as with Apache's brokers", async () => {
  const group = await Group.started()
  const [ours, theirs] = [group.member(), group.member()]
  await group.lock(ours, courtesyGroupOf(GROUP), LEASE_MS)
  await group.commit(ours, 100)
  await group.commit(theirs, 40)
  expect(await group.offset()).toBe(40)
  await group.lock(theirs, 'another-group')
  await group.commit(theirs, 30)
  expect(await group.offset()).toBe(30)
})
