/**
 * The keys by which a message can be found, straight from the bytes of its record and without any
 * string: the hash of `topic#key` is the hash of `topic#`, continued. Owns the hashes of one record
 * at a time; the next record is read into the same object.
 *
 * Keys are the client's unique id (UNIQ_KEY) and each word of KEYS. A hash goes over UTF-16 code
 * units, as Java's does; as long as bytes are ASCII those are the bytes themselves.
 * Source: Apache classes IndexService, CommitLog.checkMessageAndReturnSize; `store-format.md` 11.2.
 */
import { indexHash } from './index-file.ts'
import { decodeProperties } from './properties.ts'
import { type RecordSpan, readRecord } from './record.ts'
import { sysFlag } from './sys-flag.ts'
import { continueHash, javaHashCode } from './tag-hash.ts'

const NAME_END = 1
const VALUE_END = 2
const SPACE = 0x20
const HASH_SIGN = 0x23
const ROLLED_BACK = sysFlag.transactionRollback

const UNIQUE_KEY = Buffer.from(`UNIQ_KEY${String.fromCharCode(NAME_END)}`)
const KEYS = Buffer.from(`KEYS${String.fromCharCode(NAME_END)}`)
const LEAST_HASHES = 16

/** Four bytes at a time: each is VALUE_END, 1, or the one bit that ASCII has not. */
const VALUE_ENDS = 0x02020202
const ONES = 0x01010101
const HIGH_BITS = 0x80808080 | 0

/** The hash under which the index has a key of a topic. */
export function messageKeyHash(topic: string, key: string): number {
  return indexHash(javaHashCode(`${topic}#${key}`))
}

/** Whether the record, which must be whole, is of that topic and has that key. */
export function recordHasKey(record: Buffer, topic: string, key: string): boolean {
  const stored = readRecord(record, 0)
  if (stored?.topic !== topic) return false
  const properties = decodeProperties(stored.properties)
  if (properties.get('UNIQ_KEY') === key) return true
  return properties.get('KEYS')?.split(' ').includes(key) ?? false
}

export class MessageKeys {
  /** The first `count` are the hashes of the record that was read last. */
  hashes = new Int32Array(LEAST_HASHES)
  count = 0
  #source: Buffer = Buffer.alloc(0)
  #view = new DataView<ArrayBufferLike>(this.#source.buffer)
  /** Java's hash of `topic#`. */
  #topicHash = 0
  /** Where the values are; behind `To` is 0 when there is none. */
  #uniqueFrom = 0
  #uniqueTo = 0
  #keysFrom = 0
  #keysTo = 0

  /** Takes the keys out of a record that lies in `source`. */
  read(source: Buffer, { end, propertiesAt, sysFlag: flags, topicAt }: RecordSpan): void {
    if (source !== this.#source) {
      this.#source = source
      this.#view = new DataView(source.buffer, source.byteOffset, source.length)
    }
    const view = this.#view
    this.count = 0
    if ((flags & ROLLED_BACK) === ROLLED_BACK) return
    this.#uniqueTo = 0
    this.#keysTo = 0
    this.#walk(view, propertiesAt, end)
    if (this.#uniqueTo === 0 && this.#keysTo === 0) return
    const topicHash = hashBytes(view, topicAt, propertiesAt - 2, 0)
    this.#topicHash = (Math.imul(31, topicHash) + HASH_SIGN) | 0
    if (this.#uniqueTo > 0) this.#addWord(view, this.#uniqueFrom, this.#uniqueTo)
    if (this.#keysTo > 0) this.#addWords(view, this.#keysFrom, this.#keysTo)
  }

  /** Of properties that are there twice the last counts, and one without a value is none. */
  #walk(view: DataView, from: number, end: number): void {
    for (let at = from; at < end; ) {
      const valueEnd = valueEndFrom(view, at, end)
      if (startsWith(view, at, valueEnd, UNIQUE_KEY)) {
        this.#uniqueFrom = at + UNIQUE_KEY.length
        this.#uniqueTo = valueEnd
      } else if (startsWith(view, at, valueEnd, KEYS)) {
        this.#keysFrom = at + KEYS.length
        this.#keysTo = valueEnd
      }
      at = valueEnd + 1
    }
  }

  #addWords(view: DataView, from: number, end: number): void {
    for (let at = from; at < end; ) {
      let to = at
      while (to < end && view.getUint8(to) !== SPACE) to += 1
      if (to > at) this.#addWord(view, at, to)
      at = to + 1
    }
  }

  #addWord(view: DataView, from: number, to: number): void {
    this.#add(hashBytes(view, from, to, this.#topicHash))
  }

  #add(javaHash: number): void {
    if (this.count === this.hashes.length) {
      const roomier = new Int32Array(this.count * 2)
      roomier.set(this.hashes)
      this.hashes = roomier
    }
    this.hashes[this.count] = indexHash(javaHash)
    this.count += 1
  }
}

/** Whether a name stands at `at`, and a value of at least one byte behind it. */
function startsWith(view: DataView, at: number, end: number, name: Buffer): boolean {
  if (view.getUint8(at) !== name[0] || at + name.length >= end) return false
  for (let i = 1; i < name.length; i++) if (view.getUint8(at + i) !== name[i]) return false
  return true
}

/** The position of the next VALUE_END, or `end`; found four bytes at a time. */
function valueEndFrom(view: DataView, from: number, end: number): number {
  let at = from
  for (; at + 4 <= end; at += 4) {
    const rest = view.getInt32(at) ^ VALUE_ENDS
    if (((rest - ONES) & ~rest & HIGH_BITS) !== 0) break
  }
  while (at < end && view.getUint8(at) !== VALUE_END) at += 1
  return at
}

/** Java's hash of the text in the bytes, continued from `start`; 31^4 and so on are those powers. */
function hashBytes(view: DataView, from: number, to: number, start: number): number {
  let hash = start
  let seen = 0
  let at = from
  for (; at + 4 <= to; at += 4) {
    const four = view.getInt32(at)
    seen |= four
    const first = Math.imul(four >>> 24, 29_791) + Math.imul((four >>> 16) & 0xff, 961)
    const last = Math.imul((four >>> 8) & 0xff, 31) + (four & 0xff)
    hash = (Math.imul(hash, 923_521) + first + last) | 0
  }
  for (; at < to; at++) {
    const byte = view.getUint8(at)
    seen |= byte
    hash = (Math.imul(hash, 31) + byte) | 0
  }
  if ((seen & HIGH_BITS) === 0) return hash
  const bytes = Buffer.from(view.buffer, view.byteOffset + from, to - from)
  return continueHash(start, bytes.toString('utf8'))
}
