/**
 * Notes in a file which messages were handled, so that a process knows it after a restart, whatever
 * ended it. The file is a row of entries, each written behind the last:
 *
 *   crc32 of the rest (4) | time handled, ms since 1970 (8) | length (2) | key, UTF-8
 *
 * A torn entry at the end counts as not handled. Where more is in the file than is remembered, it is
 * replaced by a shorter one. Owns the file, and the lock on its folder.
 */
import { crc32 } from 'node:zlib'
import {
  type Disk,
  type DiskFile,
  type DiskLock,
  type Host,
  nodeHost,
  readWholeFile,
  replaceFile,
  writeBytes,
} from '@rockhopper/host'
import { badOption } from '../errors.ts'
import { HandledKeys, type KeyLimits } from './handled-keys.ts'
import type { Claim, OnceStore } from './once.ts'

const FILE_NAME = 'handled'
const HEAD_BYTES = 14
const MAX_KEY_BYTES = 65_535

/** Entries above those remembered at which the file is written anew. */
const SPARE_ENTRIES = 10_000

export interface FileOnceOptions extends KeyLimits {
  /** Folder for the file and nothing else; absolute. One process at a time may have it. */
  readonly directory: string
  /** Whose clock and disk are used; the real ones when absent. */
  readonly host?: Pick<Host, 'clock' | 'disk'>
}

export class FileOnceStore implements OnceStore {
  readonly #disk: Disk
  readonly #directory: string
  readonly #keys: HandledKeys
  readonly #lock: DiskLock
  readonly #clock: Host['clock']
  #file: DiskFile
  #sizeBytes = 0
  /** Entries in the file, of which some are forgotten. */
  #entries = 0
  /** Whether the way to the file is on the device: it is when something in the file is. */
  #isListed = false
  #waiting: Buffer[] = []
  /** What is written next; those who finish meanwhile share it. */
  #next: Promise<void> | undefined
  #writing: Promise<void> = Promise.resolve()

  /** Reads what was noted. Throws `DiskError`, and `ClientError` BAD_OPTION. */
  constructor(options: FileOnceOptions) {
    const { clock, disk } = options.host ?? nodeHost()
    this.#clock = clock
    this.#disk = disk
    this.#directory = options.directory
    this.#keys = new HandledKeys(clock, options)
    disk.makeDirectory(this.#directory)
    this.#lock = disk.lock(this.#directory)
    try {
      this.#read()
      this.#isListed = this.#entries > 0
      this.#file = disk.open(this.#path, 'create')
      this.#file.setLength(this.#sizeBytes)
    } catch (error) {
      this.#lock.release()
      throw error
    }
  }

  claim(key: string, leaseMs: number): Claim {
    if (Buffer.byteLength(key) <= MAX_KEY_BYTES) return this.#keys.claim(key, leaseMs)
    throw badOption(
      `the key of a message has more than ${MAX_KEY_BYTES} bytes`,
      'use a shorter one',
    )
  }

  /** Resolves when the note is on the device. Rejects with `DiskError`: the key stays taken then. */
  async finish(key: string): Promise<void> {
    const nowMs = this.#clock.nowMs()
    this.#waiting.push(entryOf(key, nowMs))
    this.#next ??= this.#writeNext()
    await this.#next
    this.#keys.add(key, nowMs)
  }

  release(key: string): void {
    this.#keys.release(key)
  }

  /** Waits for what is being written, and lets others have the folder. */
  async close(): Promise<void> {
    await Promise.allSettled([this.#next, this.#writing])
    this.#file.close()
    this.#lock.release()
  }

  get #path(): string {
    return `${this.#directory}/${FILE_NAME}`
  }

  /** A write that failed once fails for ever: nobody knows what the file holds then. */
  #writeNext(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const entries = this.#waiting
      this.#waiting = []
      this.#next = undefined
      const bytes = Buffer.concat(entries)
      if (!this.#isListed) await this.#list()
      writeBytes(this.#file, bytes, this.#sizeBytes)
      await this.#file.syncData()
      this.#sizeBytes += bytes.length
      this.#entries += entries.length
      if (this.#entries > 2 * this.#keys.count + SPARE_ENTRIES) await this.#shorten(entries)
    })
    return this.#writing
  }

  /** The file and the folders on the way to it are to be there after a crash, too. */
  async #list(): Promise<void> {
    const parts = this.#directory.split('/')
    for (let count = parts.length; count > 0; count--) {
      await this.#disk.syncDirectory(parts.slice(0, count).join('/') || '/')
    }
    this.#isListed = true
  }

  /** Entries written last are not among the keys yet. */
  async #shorten(last: readonly Buffer[]): Promise<void> {
    const kept = [...this.#keys.all].map(([key, atMs]) => entryOf(key, atMs))
    const bytes = Buffer.concat([...kept, ...last])
    await replaceFile(this.#disk, this.#path, 'dropped', (file) => writeBytes(file, bytes, 0))
    this.#file.close()
    this.#file = this.#disk.open(this.#path, 'update')
    this.#sizeBytes = bytes.length
    this.#entries = kept.length + last.length
  }

  #read(): void {
    const bytes = readWholeFile(this.#disk, this.#path) ?? Buffer.alloc(0)
    for (let at = 0; ; ) {
      const entry = entryAt(bytes, at)
      if (entry === undefined) break
      at += entry.sizeBytes
      this.#sizeBytes = at
      this.#entries++
      this.#keys.add(entry.key, entry.atMs)
    }
  }
}

function entryOf(key: string, atMs: number): Buffer {
  const text = Buffer.from(key)
  const entry = Buffer.alloc(HEAD_BYTES + text.length)
  entry.writeBigInt64BE(BigInt(Math.round(atMs)), 4)
  entry.writeUInt16BE(text.length, 12)
  text.copy(entry, HEAD_BYTES)
  entry.writeUInt32BE(crc32(entry.subarray(4)), 0)
  return entry
}

/** Undefined where there is no whole entry. */
function entryAt(
  bytes: Buffer,
  at: number,
): { readonly key: string; readonly atMs: number; readonly sizeBytes: number } | undefined {
  if (at + HEAD_BYTES > bytes.length) return undefined
  const sizeBytes = HEAD_BYTES + bytes.readUInt16BE(at + 12)
  const entry = bytes.subarray(at, at + sizeBytes)
  if (entry.length < sizeBytes || entry.readUInt32BE(0) !== crc32(entry.subarray(4)))
    return undefined
  const key = entry.toString('utf8', HEAD_BYTES)
  return { key, atMs: Number(entry.readBigInt64BE(4)), sizeBytes }
}
