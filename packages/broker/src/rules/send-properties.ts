/**
 * What a broker must know of a message's properties before it stores them, found in one walk over
 * their bytes: the text itself is passed on unread.
 *
 *   name 0x01 value 0x02 | name 0x01 value 0x02 | …      (4.9.2 to 4.9.8 clients omit the last 0x02)
 *
 * Source: Apache classes MessageDecoder, MessageConst; `broker-api.md` section 2.4.
 */
import { javaHashCode } from '@rockhopper/protocol'

const VALUE_END = 2

export interface SendProperties {
  /** Java hash of the tag, 0 without one: what consumers filter by. */
  readonly tagsCode: number
  /** Id that the client gave the message. */
  readonly uniqueKey: string | undefined
  /** Whether the sender wants to wait until the message is as safe as configured. */
  readonly waitStored: boolean
  /** Level of delay that the sender asks for, 0 or less for none; NaN when it is no number. */
  readonly delayLevel: number
  /** A property that asks for a time of delivery. */
  readonly timed: string | undefined
  /** Whether it is one half of a transaction. */
  readonly isTransactional: boolean
  /** The bytes to keep: ended properly, and without what only a broker may set. */
  readonly kept: readonly Buffer[]
}

type Meaning = 'tags' | 'unique-key' | 'wait' | 'drop' | 'delay' | 'timed' | 'transaction'

interface KnownName {
  readonly name: string
  /** The name and the byte that ends it. */
  readonly bytes: Buffer
  readonly meaning: Meaning
}

function known(meaning: Meaning, ...names: readonly string[]): KnownName[] {
  return names.map((name) => ({ name, bytes: Buffer.from(`${name}\x01`), meaning }))
}

const knownNames = [
  ...known('tags', 'TAGS'),
  ...known('unique-key', 'UNIQ_KEY'),
  ...known('wait', 'WAIT'),
  ...known('drop', 'POP_CK'),
  ...known('delay', 'DELAY'),
  ...known('timed', 'TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS'),
  ...known('transaction', 'TRAN_MSG'),
]

/** The names above by their first byte: all other properties are skipped by one look. */
const byFirstByte = Array.from({ length: 256 }, (_, byte) => {
  const candidates = knownNames.filter(({ bytes }) => bytes[0] === byte)
  return candidates.length === 0 ? undefined : candidates
})

const FALSE_BYTES = 'false'.length
const PAIR_END = Buffer.of(VALUE_END)
const WHOLE_NUMBER = /^[+-]?\d{1,9}$/
/** Most pairs end within so many bytes: to look at these is quicker than a call. */
const SHORT_PAIR_BYTES = 64

/** `from` and `to` bound the properties in `bytes`. */
export function walkSendProperties(
  bytes: Buffer,
  from = 0,
  to: number = bytes.length,
): SendProperties {
  const walk = new Walk(bytes, from)
  for (let at = from; at < to; ) {
    const end = pairEnd(bytes, at, to)
    const candidates = byFirstByte[bytes[at] ?? 0]
    if (candidates !== undefined) walk.visit(at, end, to, candidates)
    at = end + 1
  }
  walk.finish(to)
  return walk
}

/** A class, for text is made only of what is asked for. */
class Walk implements SendProperties {
  tagsCode = 0
  waitStored = true
  delayLevel = 0
  timed: string | undefined = undefined
  isTransactional = false
  readonly kept: Buffer[] = []
  readonly #bytes: Buffer
  #keptFrom: number
  #keyFrom = 0
  #keyTo = 0

  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes
    this.#keptFrom = from
  }

  get uniqueKey(): string | undefined {
    if (this.#keyTo === 0) return undefined
    return this.#bytes.toString('utf8', this.#keyFrom, this.#keyTo)
  }

  /** Looks at one pair, of the properties that end at `to`. */
  visit(at: number, end: number, to: number, candidates: readonly KnownName[]): void {
    const found = namedAt(this.#bytes, at, end, candidates)
    if (found === undefined) return
    const valueAt = at + found.bytes.length
    switch (found.meaning) {
      case 'tags':
        this.tagsCode = hashOf(this.#bytes, valueAt, end)
        return
      case 'unique-key':
        this.#keyFrom = valueAt
        this.#keyTo = end
        return
      case 'wait':
        this.waitStored =
          end - valueAt !== FALSE_BYTES || this.#text(valueAt, end).toLowerCase() !== 'false'
        return
      case 'drop':
        this.#keepUpTo(at)
        this.#keptFrom = Math.min(end + 1, to)
        return
      case 'delay':
        this.delayLevel = wholeNumber(this.#text(valueAt, end))
        return
      case 'timed':
        if (this.#text(valueAt, end) !== '0') this.timed = found.name
        return
      case 'transaction':
        this.isTransactional = this.#text(valueAt, end).toLowerCase() === 'true'
    }
  }

  /** Keeps the rest, and ends it if it is not ended. */
  finish(to: number): void {
    if (this.#keptFrom >= to) return
    this.#keepUpTo(to)
    if (this.#bytes[to - 1] !== VALUE_END) this.kept.push(PAIR_END)
  }

  #keepUpTo(at: number): void {
    const bytes = this.#bytes
    const from = this.#keptFrom
    if (at <= from) return
    this.kept.push(at - from === bytes.length ? bytes : bytes.subarray(from, at))
  }

  #text(from: number, to: number): string {
    return this.#bytes.toString('latin1', from, to)
  }
}

function pairEnd(bytes: Buffer, from: number, to: number): number {
  const near = Math.min(to, from + SHORT_PAIR_BYTES)
  for (let at = from; at < near; at++) if (bytes[at] === VALUE_END) return at
  const found = near === to ? -1 : bytes.indexOf(VALUE_END, near)
  return found === -1 || found > to ? to : found
}

function namedAt(
  bytes: Buffer,
  at: number,
  end: number,
  candidates: readonly KnownName[],
): KnownName | undefined {
  for (const candidate of candidates)
    if (standsAt(bytes, at, end, candidate.bytes)) return candidate
  return undefined
}

function standsAt(bytes: Buffer, at: number, end: number, name: Buffer): boolean {
  if (at + name.length > end) return false
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}

/** Java's hash of the text in the bytes, which need be made a text only when it is not ASCII. */
function hashOf(bytes: Buffer, from: number, to: number): number {
  let hash = 0
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0
    if (byte > 127) return javaHashCode(bytes.toString('utf8', from, to))
    hash = (Math.imul(31, hash) + byte) | 0
  }
  return hash
}

function wholeNumber(text: string): number {
  return WHOLE_NUMBER.test(text) ? Number(text) : Number.NaN
}
