/** A broker that is told to stop (SIGTERM) while it works. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { GET_MAX_OFFSET, QUERY_CONSUMER_OFFSET } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { openStage, type Stage } from './stage.ts'
import { flawless, GROUP, Traffic } from './traffic.ts'

/** Far beyond what it takes, for machines that are busy with other things. */
const STOP_TIMEOUT_MS = 30_000
const REQUEST_TIMEOUT_MS = 30_000

test('a broker that is told to stop in a burst ends with 0, leaves a clean store, and loses nothing', {
  timeout: 120_000,
}, async (context) => {
  const stage = await openStage(context)
  const { broker } = stage
  const abortFile = join(stage.store, 'abort')
  const traffic = await Traffic.open(stage)
  traffic.send()
  await traffic.untilAcknowledged(5_000)
  expect(existsSync(abortFile)).toBe(true)

  expect(await broker.terminate(STOP_TIMEOUT_MS)).toBe(0)
  expect(broker.child.errorLines.join('\n')).not.toMatch(/in order|not clean/)
  expect(existsSync(abortFile)).toBe(false)

  await broker.start()
  const opened = broker.logged('The store is open.')
  expect(opened).toMatchObject({ wasKilled: false, checkpointOffset: opened?.['endOffset'] })
  expect(opened?.['endOffset']).toBeGreaterThan(5_000)
  await traffic.untilAcknowledged(1_000)
  expect(await traffic.judge()).toMatchObject(flawless)
  await traffic.close()
  const committed = await consumedOffsets(stage, traffic)
  for (const { consumed } of committed) expect(consumed).toBeGreaterThan(0)

  expect(await broker.terminate(STOP_TIMEOUT_MS)).toBe(0)
  await broker.start()
  expect(await consumedOffsets(stage, traffic)).toEqual(committed)
})

/** The next offset of the group, and the end, of each queue. */
async function consumedOffsets(
  { broker, remoting }: Stage,
  { queueCount, topic }: Traffic,
): Promise<{ consumed: number; end: number }[]> {
  const timeoutMs = REQUEST_TIMEOUT_MS
  const offsets: { consumed: number; end: number }[] = []
  for (let queueId = 0; queueId < queueCount; queueId++) {
    const queue = { topic, queueId }
    const header = { consumerGroup: GROUP, ...queue }
    const group = await remoting.request(broker.address, QUERY_CONSUMER_OFFSET, header, {
      timeoutMs,
    })
    const end = await remoting.request(broker.address, GET_MAX_OFFSET, queue, { timeoutMs })
    offsets.push({ consumed: group.header().offset, end: end.header().offset })
  }
  return offsets
}
