/** A queue whose first message was on its way when a checkpoint was written. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeHost } from '@rockhopper/host'
import { openStore, type Store } from '@rockhopper/store'
import { expect, onTestFinished, test } from 'vitest'
import { message, QUEUE_SEGMENT_BYTES, StoreScene } from './scene.ts'

const host = nodeHost()
const { config } = new StoreScene()

// On real files: those of a simulation take a read before their beginning for one of nothing.
test('a queue that ended at 0 at the last checkpoint, and has files since, is no obstacle to a start', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rockhopper-queue-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const store = await openStore(host, { ...config, rootDirectory: join(folder, 'store') })
  await put(store, 0)
  store.append(message({ queueId: 1 }))
  await store.checkpoint()
  await put(store, 1)
  const left = join(folder, 'left by a kill')
  cpSync(join(folder, 'store'), left, { recursive: true })
  await store.close()
  // The next checkpoint brought the queue to its files, and got no further.
  const queue = join(left, 'consumequeue/TopicTest/1')
  mkdirSync(queue, { recursive: true })
  writeFileSync(join(queue, '0'.repeat(20)), Buffer.alloc(QUEUE_SEGMENT_BYTES))

  const next = await openStore(host, { ...config, rootDirectory: left })
  expect(next.queueBounds('TopicTest', 1)).toEqual({ minOffset: 0, maxOffset: 2 })
  await next.close()
})

async function put(store: Store, queueId: number): Promise<void> {
  const outcome = store.append(message({ queueId }))
  if (outcome.kind !== 'appended') throw new Error(outcome.reason)
  expect(await store.settled(outcome.endOffset, { waitForFlush: true })).toBe('ok')
}
