/** What a simulated disk keeps and loses, and how it fails. */
import { DiskError, type DiskFile } from '@rockhopper/host'
import { SimClock, SimDisk, type SimDiskOptions, SimRandom } from '@rockhopper/sim'
import { expect, test } from 'vitest'

function setUp(options?: SimDiskOptions): { clock: SimClock; disk: SimDisk } {
  const clock = new SimClock()
  const disk = new SimDisk(clock, options)
  disk.makeDirectory('/data')
  disk.makeDurable()
  return { clock, disk }
}

function text(file: DiskFile, position = 0, sizeBytes = file.sizeBytes()): string {
  const target = Buffer.alloc(sizeBytes)
  return target.toString('latin1', 0, file.readSync(target, position))
}

function reopened(disk: SimDisk, path = '/data/a'): string {
  const file = disk.open(path, 'read')
  try {
    return text(file)
  } finally {
    file.close()
  }
}

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return error instanceof DiskError ? error.code : String(error)
  }
  return 'nothing was thrown'
}

test('chunks land one behind the other, and holes read as zeros', () => {
  const { disk } = setUp()
  const file = disk.open('/data/a', 'create')
  expect(file.writeSync([Buffer.from('ab'), Buffer.from('cd')], 3)).toBe(4)
  expect(text(file)).toBe('\0\0\0abcd')
  file.writeSync([Buffer.alloc(10_000, 'x')], 4090)
  expect(file.sizeBytes()).toBe(14_090)
  expect(text(file, 4085, 10)).toBe('\0\0\0\0\0xxxxx')
  expect(text(file, 14_089, 10)).toBe('x')
  expect(text(file, 14_090, 10)).toBe('')
})

test('a large sparse file takes no room until it is written', () => {
  const { disk } = setUp({ capacityBytes: 1 << 20 })
  const file = disk.open('/data/a', 'create')
  file.setLength(2 ** 30)
  expect(disk.volumeSpace('/data')).toEqual({ totalBytes: 1 << 20, freeBytes: 1 << 20 })
  file.writeSync([Buffer.from('z')], 2 ** 30 - 1)
  expect(disk.volumeSpace('/data').freeBytes).toBe((1 << 20) - 4096)
  expect(text(file, 2 ** 30 - 2, 10)).toBe('\0z')
})

test('a shortened file that grows again reads zeros where it was cut', () => {
  const { disk } = setUp()
  const file = disk.open('/data/a', 'create')
  file.writeSync([Buffer.alloc(9000, 'x')], 0)
  file.setLength(2)
  file.setLength(9000)
  expect(text(file)).toBe(`xx${'\0'.repeat(8998)}`)
})

test('a killed process keeps what it wrote, loses its files, and its syncs never complete', async () => {
  const { clock, disk } = setUp()
  const file = disk.open('/data/a', 'create')
  file.writeSync([Buffer.from('written')], 0)
  let synced = false
  void file.syncData().then(() => {
    synced = true
  })
  disk.processKill()
  await clock.advance(100)
  expect(synced).toBe(false)
  expect(codeOf(() => file.writeSync([Buffer.from('W')], 0))).toBe('EBADF')
  expect(reopened(disk)).toBe('written')
})

test('a crash keeps what was synced and loses the rest at worst', async () => {
  const { clock, disk } = setUp()
  const file = disk.open('/data/a', 'create')
  file.writeSync([Buffer.from('synced')], 0)
  await clock.settle(file.syncData())
  await clock.settle(disk.syncDirectory('/data'))
  file.writeSync([Buffer.from('LOST and more')], 0)
  disk.crash({ bytes: 'lost', names: 'lost' })
  expect(reopened(disk)).toBe('synced')
})

test('a crash loses a synced file whose name was not synced', async () => {
  const { clock, disk } = setUp()
  const file = disk.open('/data/a', 'create')
  file.writeSync([Buffer.from('synced')], 0)
  await clock.settle(file.syncData())
  disk.crash({ bytes: 'lost', names: 'lost' })
  expect(disk.list('/data')).toEqual([])
})

test('a sync covers what was written before it began, not what came while it ran', async () => {
  const { clock, disk } = setUp({ syncDelay: [10, 10] })
  const file = disk.open('/data/a', 'create')
  disk.makeDurable()
  file.writeSync([Buffer.from('before')], 0)
  const sync = file.syncData()
  await clock.advance(5)
  file.writeSync([Buffer.from('DURING')], 0)
  await clock.settle(sync)
  disk.crash({ bytes: 'lost' })
  expect(reopened(disk)).toBe('before')
})

test('a crash before the sync completes may lose what it was to cover', async () => {
  const { clock, disk } = setUp({ syncDelay: [10, 10] })
  const file = disk.open('/data/a', 'create')
  disk.makeDurable()
  file.writeSync([Buffer.from('before')], 0)
  void file.syncData()
  await clock.advance(9)
  disk.crash({ bytes: 'lost' })
  expect(reopened(disk)).toBe('')
})

test('crashes at random keep each page whole, lost or torn between sectors, never invented', () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 200; seed += 1) {
    const { disk } = setUp()
    const file = disk.open('/data/a', 'create')
    file.writeSync([Buffer.alloc(8192, 'o')], 0)
    disk.makeDurable()
    file.writeSync([Buffer.alloc(8192, 'n')], 0)
    disk.crash({ random: new SimRandom(seed) })
    const content = reopened(disk)
    expect(content).toMatch(/^[on]{8192}$/)
    const sectors = content.match(/.{512}/g)?.map((sector) => new Set(sector).size)
    expect(sectors).toEqual(Array.from({ length: 16 }, () => 1))
    outcomes.add(content.replace(/(.)\1*/g, '$1'))
  }
  expect(outcomes).toContain('o')
  expect(outcomes).toContain('n')
  expect(outcomes).toContain('no')
  expect(outcomes.size).toBeGreaterThan(5)
})

test('a crash in the middle of an append leaves a length between the two', () => {
  const lengths = new Set<number>()
  for (let seed = 1; seed <= 100; seed += 1) {
    const { disk } = setUp()
    const file = disk.open('/data/a', 'create')
    file.writeSync([Buffer.alloc(100, 'o')], 0)
    disk.makeDurable()
    file.writeSync([Buffer.alloc(50_000, 'n')], 100)
    disk.crash({ random: new SimRandom(seed) })
    const content = reopened(disk)
    lengths.add(content.length)
    expect(content.startsWith('o'.repeat(100))).toBe(true)
    expect(content.length).toBeGreaterThanOrEqual(100)
    expect(content.length).toBeLessThanOrEqual(50_100)
  }
  expect(lengths.size).toBeGreaterThan(3)
})

test('names that were not synced survive a crash up to a point, in their order', () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 60; seed += 1) {
    const { disk } = setUp()
    for (const name of ['a', 'b', 'c']) disk.open(`/data/${name}`, 'create').close()
    disk.rename('/data/c', '/data/d')
    disk.crash({ random: new SimRandom(seed) })
    outcomes.add(disk.list('/data').join(''))
  }
  expect([...outcomes].sort()).toEqual(['', 'a', 'ab', 'abc', 'abd'])
})

test('names may survive a crash in any order, but what becomes of one name keeps its own', () => {
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 200; seed += 1) {
    const { disk } = setUp()
    for (const name of ['a', 'b']) disk.open(`/data/${name}`, 'create').close()
    disk.rename('/data/b', '/data/c')
    disk.remove('/data/c')
    disk.crash({ random: new SimRandom(seed), names: 'scattered' })
    outcomes.add(disk.list('/data').join(''))
  }
  expect([...outcomes].sort()).toEqual(['', 'a', 'ab', 'ac', 'b', 'c'])
})

test('syncing a folder makes its own changes durable, and not those of others', async () => {
  const { clock, disk } = setUp()
  disk.makeDirectory('/other')
  disk.open('/other/x', 'create').close()
  disk.open('/data/a', 'create').close()
  await clock.settle(disk.syncDirectory('/data'))
  disk.crash({ names: 'lost' })
  expect(disk.list('/')).toEqual(['data'])
  expect(disk.list('/data')).toEqual(['a'])
})

test('a file moved over a removed one is not undone by the removal reaching the device', async () => {
  const { clock, disk } = setUp()
  disk.makeDirectory('/other')
  disk.open('/data/x', 'create').close()
  disk.open('/other/y', 'create').close()
  disk.makeDurable()
  disk.remove('/data/x')
  disk.rename('/other/y', '/data/x')
  await clock.settle(disk.syncDirectory('/other'))
  disk.crash({ names: 'kept' })
  expect([disk.list('/data'), disk.list('/other')]).toEqual([['x'], []])
})

test('a rename is atomic: after any crash there is the old file or the new one', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { clock, disk } = setUp()
    const old = disk.open('/data/a', 'create')
    old.writeSync([Buffer.from('old')], 0)
    disk.makeDurable()
    const fresh = disk.open('/data/a.tmp', 'create')
    fresh.writeSync([Buffer.from('new')], 0)
    await clock.settle(fresh.syncData())
    disk.rename('/data/a.tmp', '/data/a')
    disk.crash({ random: new SimRandom(seed) })
    expect(['old', 'new']).toContain(reopened(disk))
  }
})

test('a failed sync leaves pages that no later sync of other pages makes durable', async () => {
  const { clock, disk } = setUp()
  const file = disk.open('/data/a', 'create')
  file.setLength(8192)
  disk.makeDurable()
  disk.fail({ operation: 'sync', code: 'EIO' })
  file.writeSync([Buffer.from('lost')], 0)
  await expect(clock.settle(file.syncData())).rejects.toThrow('device reports an error (EIO)')
  file.writeSync([Buffer.from('kept')], 4096)
  await clock.settle(file.syncData())
  disk.crash({ bytes: 'lost' })
  const content = reopened(disk)
  expect(content.slice(0, 4)).toBe('\0\0\0\0')
  expect(content.slice(4096, 4100)).toBe('kept')
})

test('a failed sync tells so when its time is up, and covers nothing from its beginning on', async () => {
  const { clock, disk } = setUp({ syncDelay: [10, 10] })
  const file = disk.open('/data/a', 'create')
  disk.makeDurable()
  file.writeSync([Buffer.from('lost')], 0)
  disk.fail({ operation: 'sync', code: 'EIO' })
  const first = file.syncData()
  let failedAtMs = 0
  first.catch(() => {
    failedAtMs = clock.monotonicMs()
  })
  const second = file.syncData()
  await clock.advance(9)
  expect(failedAtMs).toBe(0)
  await clock.settle(second)
  await expect(first).rejects.toThrow('EIO')
  expect(failedAtMs).toBe(10)
  expect(text(file)).toBe('lost')
  disk.crash({ bytes: 'lost' })
  expect(reopened(disk)).toBe('\0\0\0\0')
})

test('a page whose sync failed may read as the device has it, unless it is written again', () => {
  const { disk } = setUp()
  const file = disk.open('/data/a', 'create')
  file.writeSync([Buffer.alloc(8192, 'o')], 0)
  disk.makeDurable()
  file.writeSync([Buffer.alloc(8192, 'n')], 0)
  disk.fail({ operation: 'sync', code: 'EIO' })
  file.syncData().catch(() => undefined)
  file.writeSync([Buffer.from('x')], 4096)
  disk.dropCaches()
  expect(text(file, 0, 3)).toBe('ooo')
  expect(text(file, 4096, 3)).toBe('xnn')
  disk.crash({ bytes: 'kept' })
  expect(reopened(disk)).toBe(`${'o'.repeat(4096)}x${'n'.repeat(4095)}`)
})

test('a page whose sync failed is durable once it was written and synced again', async () => {
  const { clock, disk } = setUp()
  const file = disk.open('/data/a', 'create')
  disk.makeDurable()
  file.writeSync([Buffer.from('again')], 0)
  disk.fail({ operation: 'sync', code: 'EIO' })
  await expect(clock.settle(file.syncData())).rejects.toThrow('EIO')
  file.writeSync([Buffer.from('again')], 0)
  await clock.settle(file.syncData())
  disk.crash({ bytes: 'lost' })
  expect(reopened(disk)).toBe('again')
})

test('slow calls end in another order than they began', async () => {
  const { clock, disk } = setUp({ readDelay: [1, 50], syncDelay: [1, 50] })
  const file = disk.open('/data/a', 'create')
  file.writeSync([Buffer.from('x')], 0)
  const ended: number[] = []
  const note = (call: Promise<unknown>, number: number): void => {
    void call.then(() => ended.push(number))
  }
  for (let i = 0; i < 20; i += 1) {
    note(i % 2 === 0 ? file.read(Buffer.alloc(1), 0) : file.syncData(), i)
  }
  await clock.advance(50)
  expect(ended).toHaveLength(20)
  expect(ended).not.toEqual([...ended].sort((a, b) => a - b))
})

test('a full volume takes what fits, then refuses with ENOSPC, and removal gives room back', () => {
  const { disk } = setUp({ capacityBytes: 8192 })
  const file = disk.open('/data/a', 'create')
  expect(file.writeSync([Buffer.alloc(5000), Buffer.alloc(5000)], 0)).toBe(8192)
  expect(codeOf(() => file.writeSync([Buffer.from('x')], 8192))).toBe('ENOSPC')
  expect(file.writeSync([Buffer.from('x')], 0)).toBe(1)
  file.close()
  disk.remove('/data/a')
  expect(disk.volumeSpace('/data').freeBytes).toBe(8192)
  expect(disk.open('/data/b', 'create').writeSync([Buffer.alloc(8192)], 0)).toBe(8192)
})

test('a fault meets the call that was chosen, and only that one', () => {
  const { disk } = setUp()
  const file = disk.open('/data/a', 'create')
  disk.fail({ operation: 'write', onCall: 2, code: 'EIO', pathIncludes: '/a' })
  expect(file.writeSync([Buffer.from('x')], 0)).toBe(1)
  expect(codeOf(() => file.writeSync([Buffer.from('x')], 0))).toBe('EIO')
  expect(file.writeSync([Buffer.from('x')], 0)).toBe(1)
})

test('faults count every call, also those that meet another fault', () => {
  const { disk } = setUp()
  disk.fail({ operation: 'list', onCall: 1, code: 'EIO' })
  disk.fail({ operation: 'list', onCall: 3, code: 'EROFS' })
  const codes = [1, 2, 3, 4].map(() => codeOf(() => disk.list('/data')))
  expect(codes).toEqual(['EIO', 'nothing was thrown', 'EROFS', 'nothing was thrown'])
  const met = (code: string) => ({ operation: 'list', path: '/data', code })
  expect(disk.metFaults).toEqual([met('EIO'), met('EROFS')])
  disk.clearFaults()
  expect(disk.metFaults).toEqual([])
})

test('faults meet opening, reading, syncing, renaming and growing, too', async () => {
  const { clock, disk } = setUp()
  const file = disk.open('/data/a', 'create')
  disk.fail({ operation: 'open', code: 'EMFILE' })
  disk.fail({ operation: 'read', code: 'EIO' })
  disk.fail({ operation: 'rename', code: 'EIO' })
  disk.fail({ operation: 'setLength', code: 'ENOSPC' })
  disk.fail({ operation: 'syncDirectory', code: 'EIO' })
  expect(codeOf(() => disk.open('/data/a', 'read'))).toBe('EMFILE')
  await expect(clock.settle(file.read(Buffer.alloc(1), 0))).rejects.toThrow('EIO')
  expect(codeOf(() => disk.rename('/data/a', '/data/b'))).toBe('EIO')
  expect(codeOf(() => file.setLength(9))).toBe('ENOSPC')
  await expect(clock.settle(disk.syncDirectory('/data'))).rejects.toThrow('EIO')
  disk.crash({ names: 'lost' })
  expect(disk.list('/data')).toEqual([])
})

test('a disk that stays broken fails until the fault is cleared', () => {
  const { disk } = setUp()
  disk.fail({ operation: 'any', times: Number.POSITIVE_INFINITY, code: 'EROFS' })
  for (let i = 0; i < 3; i += 1) expect(codeOf(() => disk.list('/data'))).toBe('EROFS')
  disk.clearFaults()
  expect(disk.list('/data')).toEqual([])
})

test('short calls take at least one byte and the loop over them sees all', () => {
  const { disk } = setUp({ shortCallChance: 0.9 })
  const file = disk.open('/data/a', 'create')
  const content = Buffer.from('0123456789'.repeat(100))
  let done = 0
  let calls = 0
  while (done < content.length) {
    const taken = file.writeSync([content.subarray(done)], done)
    expect(taken).toBeGreaterThan(0)
    done += taken
    calls += 1
  }
  expect(calls).toBeGreaterThan(2)
  disk.shortCallChance = 0
  expect(text(file)).toBe(content.toString())
})

test('a process killed in the midst of a write gets none, some or all of it through', () => {
  const lengths = new Set<number>()
  for (let seed = 1; seed <= 60; seed += 1) {
    const { disk } = setUp({ random: new SimRandom(seed), tornCallChance: 1 })
    const file = disk.open('/data/a', 'create')
    disk.watch((operation) => {
      if (operation === 'write') disk.processKill()
    })
    const chunks = [Buffer.from('ab'), Buffer.from('cd')]
    expect(codeOf(() => file.writeSync(chunks, 0))).toBe('EBADF')
    expect(codeOf(() => file.writeSync(chunks, 0))).toBe('EBADF')
    disk.clearFaults()
    const content = reopened(disk)
    expect('abcd'.startsWith(content)).toBe(true)
    lengths.add(content.length)
  }
  expect([...lengths].sort()).toEqual([0, 1, 2, 3, 4])
})

test('a machine that loses power in the midst of a write has none of it afterwards', () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const { disk } = setUp({ random: new SimRandom(seed), tornCallChance: 1 })
    const file = disk.open('/data/a', 'create')
    disk.makeDurable()
    disk.watch((operation) => {
      if (operation === 'write') disk.crash()
    })
    expect(codeOf(() => file.writeSync([Buffer.from('abcd')], 0))).toBe('EBADF')
    disk.clearFaults()
    expect(reopened(disk)).toBe('')
  }
})

test('a process that ends in the midst of a call has not made, moved or removed anything', () => {
  for (const end of ['processKill', 'crash'] as const) {
    const { disk } = setUp()
    disk.open('/data/a', 'create').close()
    disk.makeDurable()
    const calls = [
      () => disk.open('/data/b', 'create'),
      () => disk.makeDirectory('/data/b'),
      () => disk.rename('/data/a', '/data/b'),
      () => disk.remove('/data/a'),
    ]
    disk.watch(() => disk[end]())
    for (const call of calls) expect(codeOf(call)).toBe('EBADF')
    disk.clearFaults()
    expect(disk.list('/data')).toEqual(['a'])
  }
})

test('a write that meets an error of the device may have left a part of itself', () => {
  const contents = new Set<string>()
  for (let seed = 1; seed <= 60; seed += 1) {
    const { disk } = setUp({ random: new SimRandom(seed), tornCallChance: 1 })
    const file = disk.open('/data/a', 'create')
    disk.fail({ operation: 'write', code: 'EIO' })
    expect(codeOf(() => file.writeSync([Buffer.from('abc')], 0))).toBe('EIO')
    contents.add(text(file))
  }
  expect([...contents].sort()).toEqual(['', 'a', 'ab', 'abc'])
})

test('a process killed in the midst of a sync leaves its pages to be synced by the next', async () => {
  const { clock, disk } = setUp()
  const file = disk.open('/data/a', 'create')
  disk.makeDurable()
  file.writeSync([Buffer.from('kept')], 0)
  disk.watch((operation) => {
    if (operation === 'sync') disk.processKill()
  })
  let ended = false
  const end = (): void => {
    ended = true
  }
  file.syncData().then(end, end)
  await clock.advance(10)
  expect(ended).toBe(false)
  disk.clearFaults()
  await clock.settle(disk.open('/data/a', 'update').syncData())
  disk.crash({ bytes: 'lost' })
  expect(reopened(disk)).toBe('kept')
})

test('a lock has one holder, and ends with its process', () => {
  const { disk } = setUp()
  const first = disk.lock('/data')
  expect(reopened(disk, '/data/lock')).toBe('lock')
  expect(codeOf(() => disk.lock('/data'))).toBe('EBUSY')
  first.release()
  const second = disk.lock('/data')
  disk.processKill()
  disk.lock('/data')
  second.release()
  expect(codeOf(() => disk.lock('/data'))).toBe('EBUSY')
})

test('paths that do not fit are refused as a real disk refuses them', () => {
  const { disk } = setUp()
  disk.makeDirectory('/data/full/sub')
  disk.open('/data/a', 'create').close()
  expect(codeOf(() => disk.open('/nowhere/a', 'create'))).toBe('ENOENT')
  expect(codeOf(() => disk.open('/data/b', 'update'))).toBe('ENOENT')
  expect(codeOf(() => disk.open('/data', 'read'))).toBe('EISDIR')
  expect(codeOf(() => disk.makeDirectory('/data/a/b'))).toBe('ENOTDIR')
  expect(codeOf(() => disk.rename('/data/b', '/data/c'))).toBe('ENOENT')
  expect(codeOf(() => disk.rename('/data/a', '/data/full'))).toBe('EISDIR')
  expect(codeOf(() => disk.open('/data/a', 'read').writeSync([Buffer.from('x')], 0))).toBe('EBADF')
  expect(disk.stat('/data/b')).toBeUndefined()
  expect(disk.list('/nowhere')).toEqual([])
  disk.remove('/data/nothing')
  disk.remove('/data/full')
  expect(disk.list('/data')).toEqual(['a'])
})

test('a removed folder that was not synced may come back whole after a crash', () => {
  const { disk } = setUp()
  disk.makeDirectory('/data/queue')
  disk.open('/data/queue/0', 'create').writeSync([Buffer.from('entry')], 0)
  disk.makeDurable()
  disk.remove('/data/queue')
  expect(disk.stat('/data/queue')).toBeUndefined()
  disk.crash({ names: 'lost' })
  expect(reopened(disk, '/data/queue/0')).toBe('entry')
})
