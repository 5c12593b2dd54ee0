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
import { type RecordView, readRecord } from './record.ts'
import { sysFlag } from './sys-flag.ts'
import { continueHash, javaHashCode } from './tag-hash.ts'

const NAME_END = 1
const VALUE_END = 2
const SPACE = 0x20
const HASH_SIGN = 0x23
const LAST_ASCII = 127
const ROLLED_BACK = sysFlag.transactionRollback

const UNIQUE_KEY = Buffer.from(`UNIQ_KEY${String.fromCharCode(NAME_END)}`)
const KEYS = Buffer.from(`KEYS${String.fromCharCode(NAME_END)}`)
const [FIRST_OF_UNIQUE_KEY] = UNIQUE_KEY
const [FIRST_OF_KEYS] = KEYS
const LEAST_HASHES = 16

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
  /** Java's hash of `topic#`. */
  #topicHash = 0
  #uniqueHash = 0
  #hasUnique = false
  #keysFrom = 0
  #keysTo = 0

  /** Takes the keys out of a record that lies in `source`. */
  read(source: Buffer, record: RecordView): void {
    this.count = 0
    if ((record.sysFlag & ROLLED_BACK) === ROLLED_BACK) return
    this.#hasUnique = false
    this.#keysTo = 0
    const { propertiesAt, topicAt } = record.parts
    const topicHash = hashBytes(source, topicAt, propertiesAt - 2, 0)
    this.#topicHash = (Math.imul(31, topicHash) + HASH_SIGN) | 0
    this.#walk(source, propertiesAt, record.end)
    if (this.#hasUnique) this.#add(this.#uniqueHash)
    if (this.#keysTo > 0) this.#addWords(source)
  }

  /** Of properties that are there twice the last counts, and one without a value is none. */
  #walk(source: Buffer, from: number, end: number): void {
    for (let at = from; at < end; ) {
      const first = source[at]
      if (first === FIRST_OF_UNIQUE_KEY && startsWith(source, at, end, UNIQUE_KEY)) {
        at = this.#takeUnique(source, at + UNIQUE_KEY.length, end)
      } else {
        const isKeys = first === FIRST_OF_KEYS && startsWith(source, at, end, KEYS)
        const valueEnd = valueEndFrom(source, at, end)
        if (isKeys && at + KEYS.length < valueEnd) {
          this.#keysFrom = at + KEYS.length
          this.#keysTo = valueEnd
        }
        at = valueEnd + 1
      }
    }
  }

  /** Hashes the value in the same go in which its end is found; returns the next pair's place. */
  #takeUnique(source: Buffer, from: number, end: number): number {
    let hash = this.#topicHash
    let seen = 0
    let at = from
    for (; at < end; at++) {
      const byte = source[at] ?? 0
      if (byte === VALUE_END) break
      hash = (Math.imul(31, hash) + byte) | 0
      seen |= byte
    }
    if (at > from) {
      this.#hasUnique = true
      this.#uniqueHash = seen > LAST_ASCII ? wideHash(source, from, at, this.#topicHash) : hash
    }
    return at + 1
  }

  #addWords(source: Buffer): void {
    for (let from = this.#keysFrom; from < this.#keysTo; ) {
      let to = from
      while (to < this.#keysTo && source[to] !== SPACE) to += 1
      if (to > from) this.#add(hashBytes(source, from, to, this.#topicHash))
      from = to + 1
    }
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

function startsWith(source: Buffer, at: number, end: number, name: Buffer): boolean {
  if (at + name.length > end) return false
  for (let i = 1; i < name.length; i++) if (source[at + i] !== name[i]) return false
  return true
}

function valueEndFrom(source: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && source[at] !== VALUE_END) at += 1
  return at
}

/** Java's hash of the text in the bytes, continued from `start`. */
function hashBytes(source: Buffer, from: number, to: number, start: number): number {
  let hash = start
  let seen = 0
  for (let at = from; at < to; at++) {
    const byte = source[at] ?? 0
    hash = (Math.imul(31, hash) + byte) | 0
    seen |= byte
  }
  return seen > LAST_ASCII ? wideHash(source, from, to, start) : hash
}

function wideHash(source: Buffer, from: number, to: number, start: number): number {
  return continueHash(start, source.toString('utf8', from, to))
}
