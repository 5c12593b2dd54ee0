/**
 * The log of a store is cut at every byte of its last two records, as the death of a process or of a
 * system can leave it: exactly the whole records before the cut remain.
 */
import { hostAddress, propertyPair } from '@rockhopper/protocol'
import { createWorld, type SimHost, type SimWorld } from '@rockhopper/sim'
import { type MessageToStore, openStore, type Store, type StoreConfig } from '@rockhopper/store'
import { describe, expect, test } from 'vitest'

const ROOT = '/store'
const LOG = `${ROOT}/commitlog/00000000000000000000`
const SUMS = `${ROOT}/logsums/00000000000000000000`
const SEED = 7
const address = hostAddress('192.168.1.10', 54_321)
/** Queue by queue: the last two records lie across the end of the first page. */
const BODIES = [
  { queueId: 0, body: Buffer.alloc(1_800, 1) },
  { queueId: 1, body: Buffer.alloc(1_960, 2) },
  { queueId: 0, body: Buffer.from('the last but one') },
  { queueId: 1, body: Buffer.from('the last') },
] as const

const config: StoreConfig = {
  rootDirectory: ROOT,
  commitLogSegmentBytes: 8 * 1024,
  consumeQueueSegmentBytes: 20 * 20,
  flushDisk: 'async',
  flushIntervalMs: 500,
  syncFlushTimeoutMs: 5_000,
  maxMessageBytes: 4_096,
  tailMemoryBytes: 64 * 1024,
}

interface Scene {
  readonly world: SimWorld
  readonly host: SimHost
}

/** A store whose last two records were written in one turn, and then its process was killed. */
interface Written extends Scene {
  /** Log offsets of the records, and the end of the last. */
  readonly offsets: readonly number[]
  /** The log, its sums, and what these were before the last two records. */
  readonly log: Buffer
  readonly sumsBefore: Buffer
  readonly files: ReadonlyMap<string, Buffer>
}

function messageOf(index: number): MessageToStore {
  const { body, queueId } = BODIES[index] ?? { body: Buffer.from('next'), queueId: 0 }
  return {
    topic: 'cut',
    queueId,
    flag: index,
    sysFlag: 0,
    bornTimestamp: 1_700_000_000_000,
    bornHost: address,
    storeHost: address,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body,
    properties: [propertyPair('KEYS', `key-${index}`), propertyPair('TAGS', 'red')],
    tagsCode: 112_785,
  }
}

function append(
  store: Store,
  index: number,
): { logOffset: number; queueOffset: number; endOffset: number } {
  const outcome = store.append(messageOf(index))
  if (outcome.kind !== 'appended') throw new Error(outcome.reason)
  return outcome
}

async function written(): Promise<Written> {
  const world = createWorld(SEED)
  const host = world.host('broker')
  const store = await world.clock.settle(openStore(host.doors, config))
  const first = [append(store, 0), append(store, 1)]
  await world.clock.advance(5)
  const sumsBefore = bytesOf(host, SUMS)
  const last = [append(store, 2), append(store, 3)]
  await world.clock.advance(5)
  host.kill()
  const offsets = [...first, ...last].map(({ logOffset }) => logOffset)
  offsets.push(last[1]?.endOffset ?? 0)
  return { world, host, offsets, log: bytesOf(host, LOG), sumsBefore, files: filesOf(host) }
}

function filesOf(host: SimHost): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const visit = (path: string): void => {
    if (host.disk.stat(path)?.kind === 'file') files.set(path, bytesOf(host, path))
    else for (const name of host.disk.list(path)) visit(`${path}/${name}`)
  }
  visit(ROOT)
  return files
}

function bytesOf({ disk }: SimHost, path: string): Buffer {
  const file = disk.open(path, 'read')
  const bytes = Buffer.alloc(file.sizeBytes())
  for (let done = 0; done < bytes.length; ) done += file.readSync(bytes.subarray(done), done)
  file.close()
  return bytes
}

/** The same machine with these files; it was started anew meanwhile if its system died. */
function machineWith(files: ReadonlyMap<string, Buffer>, end: 'kill' | 'crash'): Scene {
  const world = createWorld(SEED)
  const host = world.host('broker')
  for (const [path, bytes] of files) {
    host.disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
    const file = host.disk.open(path, 'create')
    file.writeSync([bytes], 0)
    file.close()
  }
  host.disk.makeDurable()
  if (end === 'crash') host.crash()
  if (end === 'crash') host.restart()
  return { world, host }
}

async function bodiesOf(
  { world }: Scene,
  store: Store,
  queueId: number,
): Promise<readonly Buffer[]> {
  const request = { topic: 'cut', queueId, offset: 0, maxMessages: 9, maxBytes: 1 << 20 }
  const { slices } = await world.clock.settle(Promise.resolve(store.read(request)))
  return slices
}

describe.each([
  { end: 'kill', cut: 'zeroed' },
  { end: 'kill', cut: 'short' },
  { end: 'crash', cut: 'zeroed' },
  { end: 'crash', cut: 'short' },
] as const)('a log that a $end left $cut', ({ cut, end }) => {
  test('anywhere in its last two records has exactly the whole ones before', async () => {
    const before = await written()
    const from = before.offsets[2] ?? 0
    const to = before.offsets[4] ?? 0
    expect(from).toBeLessThan(4_096)
    expect(to).toBeGreaterThan(4_096)
    for (let at = from; at <= to; at++) await expectWholeRecords(before, at, end, cut)
  })
})

async function expectWholeRecords(
  before: Written,
  at: number,
  end: 'kill' | 'crash',
  cut: 'zeroed' | 'short',
): Promise<void> {
  const files = new Map(before.files)
  const log = Buffer.from(before.log).fill(0, at)
  files.set(LOG, cut === 'short' ? log.subarray(0, at) : log)
  // The sums of what a killed process has not finished writing were not written, either.
  if (at < (before.offsets[4] ?? 0)) files.set(SUMS, before.sumsBefore)
  const scene = machineWith(files, end)
  const { clock } = scene.world
  const store = await clock.settle(openStore(scene.host.doors, config))
  const count = before.offsets.filter((offset) => offset <= at).length - 1
  const logEnd = before.offsets[count] ?? 0
  expect([at, store.runtime().appendedOffset]).toEqual([at, logEnd])
  const slices = [...(await bodiesOf(scene, store, 0)), ...(await bodiesOf(scene, store, 1))]
  const whole = [0, 1, 2, 3].slice(0, count).map((i) => {
    return before.log.subarray(before.offsets[i], before.offsets[i + 1])
  })
  expect(Buffer.concat(slices.toSorted(byLogOffset)).equals(Buffer.concat(whole))).toBe(true)
  for (const [queueId, maxOffset] of [
    [0, count > 2 ? 2 : 1],
    [1, count > 3 ? 2 : 1],
  ] as const) {
    expect(store.queueBounds('cut', queueId)).toEqual({ minOffset: 0, maxOffset })
  }
  const next = append(store, 4)
  expect([next.logOffset, next.queueOffset]).toEqual([logEnd, count > 2 ? 2 : 1])
}

function byLogOffset(one: Buffer, other: Buffer): number {
  return Number(one.readBigInt64BE(28) - other.readBigInt64BE(28))
}
