/** What the real disk does with real files, and how it words its failures. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiskError, NodeDisk } from '@rockhopper/host'
import { afterEach, beforeEach, expect, test } from 'vitest'

const disk = new NodeDisk()
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rockhopper-disk-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function failure(action: () => unknown): DiskError {
  try {
    action()
  } catch (error) {
    if (error instanceof DiskError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

test('opening what does not exist says so, unless it is to be created', () => {
  const path = join(folder, 'a')
  for (const mode of ['read', 'update'] as const) {
    const error = failure(() => disk.open(path, mode))
    expect(error.code).toBe('ENOENT')
    expect(error.path).toBe(path)
    expect(error.message).toBe(`cannot open "${path}": it does not exist (ENOENT)`)
  }
  disk.open(path, 'create').close()
  expect(disk.stat(path)).toMatchObject({ kind: 'file', sizeBytes: 0 })
})

test('a full device is named with the room that is left and the way out', () => {
  const file = disk.open('/dev/full', 'update')
  const error = failure(() => file.writeSync([Buffer.from('x')], 0))
  file.close()
  expect(error.code).toBe('ENOSPC')
  expect(error.message).toMatch(
    /^cannot write at 0 to "\/dev\/full": no room is left on its volume, \d+ bytes are free: delete/,
  )
})

test('writing to a file that was opened for reading is refused', () => {
  const path = join(folder, 'a')
  writeFileSync(path, 'content')
  const file = disk.open(path, 'read')
  expect(failure(() => file.writeSync([Buffer.from('x')], 0)).code).toBe('EBADF')
  file.close()
})

test('a closed file refuses everything, and closing twice is harmless', async () => {
  const file = disk.open(join(folder, 'a'), 'create')
  file.close()
  file.close()
  const buffer = Buffer.alloc(1)
  expect(failure(() => file.writeSync([buffer], 0)).code).toBe('EBADF')
  expect(failure(() => file.readSync(buffer, 0)).code).toBe('EBADF')
  expect(failure(() => file.sizeBytes()).code).toBe('EBADF')
  expect(failure(() => file.setLength(1)).code).toBe('EBADF')
  await expect(file.read(buffer, 0)).rejects.toMatchObject({ code: 'EBADF' })
  await expect(file.syncData()).rejects.toMatchObject({ code: 'EBADF' })
})

test('a file closed during a read gives its descriptor back only when the read is done', async () => {
  const path = join(folder, 'a')
  writeFileSync(path, 'right')
  const other = join(folder, 'b')
  writeFileSync(other, 'WRONG')
  for (let round = 0; round < 50; round += 1) {
    const file = disk.open(path, 'read')
    const targets = Array.from({ length: 8 }, () => Buffer.alloc(5))
    const reads = targets.map((target) => file.read(target, 0))
    file.close()
    // Takes the number of the descriptor, if it is free already.
    const usurper = disk.open(other, 'read')
    await Promise.all(reads)
    usurper.close()
    expect(targets.map(String)).toEqual(targets.map(() => 'right'))
  }
})

test('chunks are written one behind the other, single and many', () => {
  const file = disk.open(join(folder, 'a'), 'create')
  expect(file.writeSync([], 0)).toBe(0)
  expect(file.writeSync([Buffer.from('ab')], 1)).toBe(2)
  const many = Array.from({ length: 3000 }, (_, index) => Buffer.from(String(index % 10)))
  let done = 0
  while (done < many.length) done += file.writeSync(many.slice(done), 3 + done)
  const target = Buffer.alloc(4000)
  expect(file.readSync(target, 0)).toBe(3003)
  expect(target.toString('latin1', 0, 3003)).toBe(`\0ab${'0123456789'.repeat(300)}`)
  file.close()
})

test('reads end at the end of the file', async () => {
  const file = disk.open(join(folder, 'a'), 'create')
  file.writeSync([Buffer.from('abc')], 0)
  const target = Buffer.alloc(10)
  expect(await file.read(target, 1)).toBe(2)
  expect(target.toString('latin1', 0, 2)).toBe('bc')
  expect(await file.read(target, 3)).toBe(0)
  expect(file.readSync(target, 99)).toBe(0)
  file.close()
})

test('growth is sparse and reads as zeros', async () => {
  const path = join(folder, 'a')
  const file = disk.open(path, 'create')
  file.setLength(2 ** 30)
  expect(file.sizeBytes()).toBe(2 ** 30)
  expect(statSync(path).blocks * 512).toBeLessThan(1 << 20)
  const target = Buffer.alloc(4, 'x')
  file.readSync(target, 2 ** 29)
  expect(target).toEqual(Buffer.alloc(4))
  await file.syncData()
  file.close()
})

test('names are listed sorted, and a folder that is absent has none', () => {
  for (const name of ['10', '9', 'a', 'B']) writeFileSync(join(folder, name), '')
  expect(disk.list(folder)).toEqual(['10', '9', 'B', 'a'])
  expect(disk.list(join(folder, 'absent'))).toEqual([])
  expect(failure(() => disk.list(join(folder, 'a'))).code).toBe('ENOTDIR')
})

test('folders are made with their parents, and removed with all in them', async () => {
  const deep = join(folder, 'x/y/z')
  disk.makeDirectory(deep)
  disk.makeDirectory(deep)
  expect(disk.stat(deep)?.kind).toBe('directory')
  disk.open(join(deep, 'a'), 'create').close()
  await disk.syncDirectory(deep)
  disk.remove(join(folder, 'x'))
  disk.remove(join(folder, 'x'))
  expect(disk.stat(deep)).toBeUndefined()
})

test('a rename replaces the file of the new name', () => {
  writeFileSync(join(folder, 'new'), 'new')
  writeFileSync(join(folder, 'old'), 'old file')
  disk.rename(join(folder, 'new'), join(folder, 'old'))
  expect(disk.list(folder)).toEqual(['old'])
  expect(disk.stat(join(folder, 'old'))?.sizeBytes).toBe(3)
  expect(failure(() => disk.rename(join(folder, 'new'), join(folder, 'old'))).code).toBe('ENOENT')
})

test('syncing a folder that is absent rejects', async () => {
  await expect(disk.syncDirectory(join(folder, 'absent'))).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a path below a file does not exist, and cannot be made', () => {
  const path = join(folder, 'a')
  writeFileSync(path, '')
  expect(disk.stat(join(path, 'b'))).toBeUndefined()
  expect(failure(() => disk.makeDirectory(join(path, 'b'))).code).toBe('ENOTDIR')
})

test('the room of a volume is told for paths that do not exist yet', () => {
  const here = disk.volumeSpace(folder)
  expect(here.totalBytes).toBeGreaterThan(here.freeBytes)
  expect(here.freeBytes).toBeGreaterThan(0)
  expect(disk.volumeSpace(join(folder, 'not/yet')).totalBytes).toBe(here.totalBytes)
})

test('the modes of opening do not truncate', () => {
  const path = join(folder, 'a')
  writeFileSync(path, 'kept')
  disk.open(path, 'create').close()
  disk.open(path, 'update').close()
  expect(statSync(path).size).toBe(4)
})
