/**
 * Bugs to be planted between a store and its disk, or between a store and who works with it: each
 * does what a store with that bug would do.
 */
import { crc32 } from 'node:zlib'
import type { Disk, DiskFile, Host } from '@rockhopper/host'
import type { Store } from '@rockhopper/store'

type Doors = (doors: Host) => Host
/** Replaces some of what a file does. */
type Spoil = (file: DiskFile, path: string) => Partial<DiskFile>

const BLANK_MAGIC = 0xcbd43194 | 0
const BLANK_BYTES = 8
const MAGIC_AT = 4
const CRC_AT = 8
const CHECKPOINT_BYTES = 4096
const CHECKPOINT_PART_AT = 256
const CHECKPOINT_PART_END = 288

/** Doors through which the files in some folders behave otherwise. */
function withFiles(folders: RegExp, spoil: Spoil): Doors {
  return (doors) => {
    const open: Disk['open'] = (path, mode) => {
      const file = doors.disk.open(path, mode)
      return folders.test(path) ? changed(file, spoil(file, path)) : file
    }
    return { ...doors, disk: changed(doors.disk, { open }) }
  }
}

/** It acknowledges before the device has the bytes. */
export const acknowledgesBeforeSync = withFiles(/\/(commitlog|logsums)\//, () => ({
  syncData: () => Promise.resolve(),
}))

/** It tries a sync that failed again, and believes the second. */
export const retriesFailedSync = withFiles(/./, (file) => ({
  syncData: () => file.syncData().catch(() => file.syncData()),
}))

/** It takes records for sound whose checksum is wrong, and knows no sums of pages. */
export const skipsChecksums = withFiles(/\/(commitlog|logsums)\//, (file, path) => ({
  async read(target, position) {
    const count = await file.read(target, position)
    if (path.includes('/logsums/')) target.fill(0)
    else correctChecksums(bufferOf(target).subarray(0, count))
    return count
  },
}))

/** It cuts the log at the first bad record, whatever follows. */
export const cutsAtFirstBadRecord: Doors = (doors) => {
  let cutOffset = Number.POSITIVE_INFINITY
  const files = withFiles(/\/(commitlog|logsums)\//, (file, path) => ({
    async read(target, position) {
      const count = await file.read(target, position)
      const bytes = bufferOf(target).subarray(0, count)
      const offset = Number(path.slice(path.lastIndexOf('/') + 1)) + position
      if (path.includes('/logsums/')) bytes.fill(0)
      else cutOffset = Math.min(cutOffset, offset + (badRecordIn(bytes) ?? cutOffset))
      if (cutOffset < offset + count) bytes.fill(0, Math.max(0, cutOffset - offset))
      return count
    },
  }))
  return files(doors)
}

/** It does not make the key index anew: what is added to it after a restart is forgotten. */
export const forgetsKeys: Doors = (doors) => {
  if (doors.machine.pid === 1000) return doors
  return withFiles(/\/index\//, () => ({ writeSync: sizeOf }))(doors)
}

/** Its checkpoint tells of what is written, not of what is durable, and its queues are believed. */
export const checkpointsWhatIsWritten: Doors = (doors) => {
  let writtenOffset = 0
  const files = withFiles(/\/(commitlog\/|checkpoint$)/, (file, path) => ({
    writeSync(chunks, position) {
      if (!path.endsWith('checkpoint')) {
        const start = Number(path.slice(path.lastIndexOf('/') + 1))
        const bytes = Buffer.concat(chunks)
        const used = bytes.findLastIndex((byte) => byte !== 0) + 1
        if (used > 0) writtenOffset = Math.max(writtenOffset, start + position + used)
        return file.writeSync(chunks, position)
      }
      const page = Buffer.concat(chunks)
      if (position === 0 && page.length === CHECKPOINT_BYTES) raiseCheckpoint(page, writtenOffset)
      return file.writeSync([page], position)
    },
  }))
  return files(doors)
}

/** It writes the checkpoint before the files of the queues are synced. */
export const checkpointsBeforeQueues: Doors = (doors) => {
  const syncDirectory: Disk['syncDirectory'] = (path) =>
    path.includes('/consumequeue') ? Promise.resolve() : doors.disk.syncDirectory(path)
  const files = withFiles(/\/(consumequeue\/|queueends)/, () => ({
    syncData: () => Promise.resolve(),
  }))
  return files({ ...doors, disk: changed(doors.disk, { syncDirectory }) })
}

/** It leaves what lies behind the end of the log where it is. */
export const leavesOldRecords = withFiles(/\/commitlog\//, (file) => ({
  setLength(sizeBytes) {
    if (sizeBytes > file.sizeBytes()) file.setLength(sizeBytes)
  },
}))

/** It does not write again what it finds after a crash: a write that changes nothing is left out. */
export const spareRewrites = withFiles(/\/commitlog\//, (file) => ({
  writeSync(chunks, position) {
    const bytes = Buffer.concat(chunks)
    const present = Buffer.alloc(bytes.length)
    let done = 0
    for (let count = -1; count !== 0 && done < present.length; done += count) {
      count = file.readSync(present.subarray(done), position + done)
    }
    const isZeros = bytes.every((byte) => byte === 0)
    if (!isZeros && done === bytes.length && present.equals(bytes)) return bytes.length
    return file.writeSync(chunks, position)
  },
}))

/** It begins a new segment without ending the one before. */
export const rollsWithoutBlank = withFiles(/\/commitlog\//, (file) => ({
  writeSync(chunks, position) {
    const bytes = Buffer.concat(chunks)
    const blankAt = bytes.length - BLANK_BYTES
    if (blankAt >= 0 && bytes.readInt32BE(blankAt + MAGIC_AT) === BLANK_MAGIC)
      bytes.fill(0, blankAt)
    return file.writeSync([bytes], position)
  },
}))

/** It reports writes that reach the system only a moment later. */
export const writesLate: Doors = (doors) =>
  withFiles(/\/(commitlog|logsums)\//, (file) => ({
    writeSync(chunks, position) {
      const bytes = Buffer.concat(chunks)
      if (bytes.every((byte) => byte === 0)) return file.writeSync(chunks, position)
      doors.clock.after(5, () => {
        try {
          for (let done = 0; done < bytes.length; ) {
            done += file.writeSync([bytes.subarray(done)], position + done)
          }
        } catch {
          // The file was closed in order meanwhile, or the disk refuses.
        }
      })
      return bytes.length
    },
  }))(doors)

/** It says at once that everything is safe. */
export function promisesAtOnce(store: Store): Store {
  return changed(store, { settled: () => 'ok' })
}

/** It shows a queue from the second message on as if that were the first. */
export function skipsAMessage(store: Store): Store {
  return changed(store, {
    read: (request) => store.read({ ...request, offset: Math.max(1, request.offset) }),
  })
}

function correctChecksums(bytes: Buffer): void {
  for (const { at, bodyAt, bodyBytes } of recordsIn(bytes)) {
    bytes.writeInt32BE(crc32(bytes.subarray(bodyAt, bodyAt + bodyBytes)) & 0x7fff_ffff, at + CRC_AT)
  }
}

/** Where the first record with a wrong checksum begins. */
function badRecordIn(bytes: Buffer): number | undefined {
  for (const { at, bodyAt, bodyBytes } of recordsIn(bytes)) {
    const sum = crc32(bytes.subarray(bodyAt, bodyAt + bodyBytes)) & 0x7fff_ffff
    if (sum !== bytes.readInt32BE(at + CRC_AT)) return at
  }
  return undefined
}

/** Records from the beginning of the bytes on, for as long as there are some. */
function* recordsIn(
  bytes: Buffer,
): Generator<{ readonly at: number; readonly bodyAt: number; readonly bodyBytes: number }> {
  for (let at = 0; at + 92 <= bytes.length; ) {
    const sizeBytes = bytes.readInt32BE(at)
    const isRecord = bytes.readUIntBE(at + MAGIC_AT, 3) === 0xdaa320
    if (!isRecord || sizeBytes < 92 || at + sizeBytes > bytes.length) return
    const flags = bytes.readInt32BE(at + 36)
    const bodyAt = at + 88 + ((flags & 0x10) === 0 ? 0 : 12) + ((flags & 0x20) === 0 ? 0 : 12)
    const bodyBytes = bytes.readInt32BE(bodyAt - 4)
    if (bodyBytes < 0 || bodyAt + bodyBytes > at + sizeBytes) return
    yield { at, bodyAt, bodyBytes }
    at += sizeBytes
  }
}

/** Puts another offset into the part of the checkpoint that is ours. */
function raiseCheckpoint(page: Buffer, logOffset: number): void {
  const at = CHECKPOINT_PART_AT + BLANK_BYTES
  if (page.readBigInt64BE(at) >= BigInt(logOffset)) return
  page.writeBigInt64BE(BigInt(logOffset), at)
  page.writeUInt32BE(crc32(page.subarray(at, CHECKPOINT_PART_END)), CHECKPOINT_PART_AT + 4)
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The object with some of its methods replaced. */
function changed<T extends object>(original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get(target, key: string & keyof T) {
      const value = changes[key] ?? target[key]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
