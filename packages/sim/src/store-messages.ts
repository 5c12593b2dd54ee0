/**
 * Messages for a simulated store, of all kinds and sizes, no two of them alike. Owns the count of
 * those that were made.
 */
import {
  type HostAddress,
  hostAddress,
  javaHashCode,
  propertyPair,
  sysFlag,
} from '@rockhopper/protocol'
import type { BatchEntryToStore, BatchToStore, MessageToStore } from '@rockhopper/store'
import { SimRandom } from './random.ts'

/** Bodies are cut from it at random places, so that parts of two of them are never alike. */
const NOISE = new SimRandom(2_718_281_828).bytes(1 << 16)
const LONGEST_BODY_BYTES = 8 * 1024
const TAGS = ['red', 'green', 'blue']
/** Keys that many messages have. */
const SHARED_KEYS = ['ape', 'bee', 'cat', 'dog'] as const
const HOSTS: readonly HostAddress[] = [
  hostAddress('192.168.1.10', 54_321),
  hostAddress('10.0.0.9', 40_000),
  hostAddress('fe80::1:2', 54_322),
]
/** A topic of so many bytes needs the second version of the record. */
const LONG_TOPIC = 'long-topic-'.padEnd(140, 'x')

/** Names of topics; the longest makes records of the second version. */
export const STORE_TOPICS = ['orders', 'bills', 'mail', LONG_TOPIC] as const

/** One of the two keys of a record: that which many have, or that which no other has. */
export function keyOf(record: Buffer, isShared: boolean): string {
  const text = record.toString('latin1')
  const at = text.lastIndexOf('KEYS\x01') + 5
  const [shared = '', own = ''] = text.slice(at, text.indexOf('\x02', at)).split(' ')
  return isShared ? shared : own
}

/** Whether a record has the key. */
export function hasKey(record: Buffer, key: string): boolean {
  return keyOf(record, true) === key || keyOf(record, false) === key
}

export class MessageMaker {
  readonly #random: SimRandom
  readonly #topics: readonly string[]
  readonly #queueCount: number
  readonly #largestBytes: number
  #count = 0

  /** `largestBytes` is that of the bodies, 8 KiB at the most. */
  constructor(
    random: SimRandom,
    topics: readonly string[],
    queueCount: number,
    largestBytes: number,
  ) {
    this.#random = random
    this.#topics = topics
    this.#queueCount = queueCount
    this.#largestBytes = Math.min(largestBytes, LONGEST_BODY_BYTES)
  }

  /** Any message; a few are half messages of transactions, which no queue shows. */
  message(nowMs: number): MessageToStore {
    return { ...this.#common(nowMs), ...this.#entry(this.#bodyBytes()) }
  }

  /** What the messages of a batch have in common, and the messages. */
  batch(nowMs: number): { common: BatchToStore; entries: BatchEntryToStore[] } {
    const count = 1 + this.#random.below(12)
    const mostBytes = Math.min(200, Math.floor(this.#largestBytes / count))
    const entries = Array.from({ length: count }, () => this.#entry(this.#random.below(mostBytes)))
    return { common: this.#common(nowMs), entries }
  }

  #common(nowMs: number): BatchToStore {
    const random = this.#random
    return {
      topic: this.#topics[random.below(this.#topics.length)] ?? '',
      queueId: random.below(this.#queueCount),
      sysFlag: random.chance(0.04) ? sysFlag.transactionPrepared : 0,
      bornTimestamp: nowMs - random.below(1_000),
      bornHost: this.#host(),
      storeHost: this.#host(),
      reconsumeTimes: random.chance(0.2) ? random.below(16) : 0,
      preparedTransactionOffset: random.chance(0.1) ? random.below(2 ** 40) : 0,
    }
  }

  #entry(bodyBytes: number): BatchEntryToStore {
    const random = this.#random
    this.#count += 1
    const tag = random.chance(0.6) ? TAGS[random.below(TAGS.length)] : undefined
    const keys = `${SHARED_KEYS[random.below(SHARED_KEYS.length)]} key-${this.#count}`
    const properties = [propertyPair('KEYS', keys), propertyPair('UNIQ_KEY', `U${this.#count}`)]
    if (tag !== undefined) properties.push(propertyPair('TAGS', tag))
    const at = random.below(NOISE.length - LONGEST_BODY_BYTES)
    return {
      flag: random.below(2 ** 31),
      body: NOISE.subarray(at, at + bodyBytes),
      properties,
      tagsCode: tag === undefined ? 0 : javaHashCode(tag),
    }
  }

  /** Mostly small; some take pages, and a few most of a segment. */
  #bodyBytes(): number {
    const random = this.#random
    if (random.chance(0.7)) return random.below(200)
    if (random.chance(0.8)) return random.below(Math.min(3_000, this.#largestBytes))
    return random.below(this.#largestBytes)
  }

  #host(): HostAddress {
    return HOSTS[this.#random.below(HOSTS.length)] ?? hostAddress('127.0.0.1', 1)
  }
}
