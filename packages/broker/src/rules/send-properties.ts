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

interface Walk {
  tagsCode: number
  uniqueKey: string | undefined
  waitStored: boolean
  delayLevel: number
  timed: string | undefined
  isTransactional: boolean
  keptFrom: number
  kept: Buffer[]
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
const byFirstByte = Array.from({ length: 256 }, (_, byte) =>
  knownNames.filter(({ bytes }) => bytes[0] === byte),
)

const PAIR_END = Buffer.of(VALUE_END)

export function walkSendProperties(bytes: Buffer): SendProperties {
  const walk: Walk = {
    tagsCode: 0,
    uniqueKey: undefined,
    waitStored: true,
    delayLevel: 0,
    timed: undefined,
    isTransactional: false,
    keptFrom: 0,
    kept: [],
  }
  let at = 0
  while (at < bytes.length) {
    const found = bytes.indexOf(VALUE_END, at)
    const end = found === -1 ? bytes.length : found
    const candidates = byFirstByte[bytes[at] ?? 0]
    if (candidates !== undefined && candidates.length > 0) visit(bytes, at, end, candidates, walk)
    at = end + 1
  }
  if (walk.keptFrom < bytes.length) {
    walk.kept.push(bytes.subarray(walk.keptFrom))
    if (bytes.at(-1) !== VALUE_END) walk.kept.push(PAIR_END)
  }
  return walk
}

function visit(
  bytes: Buffer,
  at: number,
  end: number,
  candidates: readonly KnownName[],
  walk: Walk,
): void {
  const found = candidates.find((candidate) => standsAt(bytes, at, end, candidate.bytes))
  if (found === undefined) return
  const { meaning, name } = found
  const value = bytes.toString('latin1', at + found.bytes.length, end)
  switch (meaning) {
    case 'tags':
      walk.tagsCode = javaHashCode(unlessAscii(bytes, at + found.bytes.length, end, value))
      return
    case 'unique-key':
      walk.uniqueKey = unlessAscii(bytes, at + found.bytes.length, end, value)
      return
    case 'wait':
      walk.waitStored = value.toLowerCase() !== 'false'
      return
    case 'drop':
      if (at > walk.keptFrom) walk.kept.push(bytes.subarray(walk.keptFrom, at))
      walk.keptFrom = Math.min(end + 1, bytes.length)
      return
    case 'delay':
      walk.delayLevel = WHOLE_NUMBER.test(value) ? Number(value) : Number.NaN
      return
    case 'timed':
      if (value !== '0') walk.timed = name
      return
    case 'transaction':
      walk.isTransactional = value.toLowerCase() === 'true'
  }
}

const WHOLE_NUMBER = /^[+-]?\d{1,9}$/

function standsAt(bytes: Buffer, at: number, end: number, name: Buffer): boolean {
  if (at + name.length > end) return false
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false
  return true
}

/** The text of bytes that were read as Latin-1, which is the same and quicker while it is ASCII. */
function unlessAscii(bytes: Buffer, at: number, end: number, latin1: string): string {
  for (let i = at; i < end; i++) if ((bytes[i] ?? 0) > 127) return bytes.toString('utf8', at, end)
  return latin1
}
