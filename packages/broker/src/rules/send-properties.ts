/**
 * What a broker must know of a message's properties before it stores them, found in one walk over
 * their bytes: the text itself is passed on unread.
 *
 *   name 0x01 value 0x02 | name 0x01 value 0x02 | …      (4.9.2 to 4.9.8 clients omit the last 0x02)
 *
 * Source: Apache classes MessageDecoder, MessageConst; `broker-api.md` section 2.4.
 */
import { javaHashCode } from '@rockhopper/protocol'

const NAME_END = 1
const VALUE_END = 2

export interface SendProperties {
  /** Java hash of the tag, 0 without one: what consumers filter by. */
  readonly tagsCode: number
  /** Id that the client gave the message. */
  readonly uniqueKey: string | undefined
  /** Whether the sender wants to wait until the message is as safe as configured. */
  readonly waitStored: boolean
  /** A property that asks for a kind of delivery which is not there yet. */
  readonly unsupported: string | undefined
  /** The bytes to keep: ended properly, and without what only a broker may set. */
  readonly kept: readonly Buffer[]
}

interface Walk {
  tagsCode: number
  uniqueKey: string | undefined
  waitStored: boolean
  unsupported: string | undefined
  keptFrom: number
  kept: Buffer[]
}

type Meaning = 'tags' | 'unique-key' | 'wait' | 'drop' | 'unsupported'

const meanings = new Map<string, Meaning>([
  ['TAGS', 'tags'],
  ['UNIQ_KEY', 'unique-key'],
  ['WAIT', 'wait'],
  ['POP_CK', 'drop'],
  ['DELAY', 'unsupported'],
  ['TIMER_DELAY_SEC', 'unsupported'],
  ['TIMER_DELAY_MS', 'unsupported'],
  ['TIMER_DELIVER_MS', 'unsupported'],
  ['TRAN_MSG', 'unsupported'],
])

/** First bytes of the names above: all other properties are skipped by one look. */
const firstBytes = new Set([...meanings.keys()].map((name) => name.charCodeAt(0)))

const PAIR_END = Buffer.of(VALUE_END)

export function walkSendProperties(bytes: Buffer): SendProperties {
  const walk: Walk = {
    tagsCode: 0,
    uniqueKey: undefined,
    waitStored: true,
    unsupported: undefined,
    keptFrom: 0,
    kept: [],
  }
  let at = 0
  while (at < bytes.length) {
    const found = bytes.indexOf(VALUE_END, at)
    const end = found === -1 ? bytes.length : found
    if (firstBytes.has(bytes[at] ?? 0)) visit(bytes, at, end, walk)
    at = end + 1
  }
  if (walk.keptFrom < bytes.length) {
    walk.kept.push(bytes.subarray(walk.keptFrom))
    if (bytes.at(-1) !== VALUE_END) walk.kept.push(PAIR_END)
  }
  return walk
}

function visit(bytes: Buffer, at: number, end: number, walk: Walk): void {
  const nameEnd = bytes.indexOf(NAME_END, at)
  if (nameEnd === -1 || nameEnd >= end) return
  const name = bytes.toString('latin1', at, nameEnd)
  const meaning = meanings.get(name)
  if (meaning === undefined) return
  const value = bytes.toString('utf8', nameEnd + 1, end)
  switch (meaning) {
    case 'tags':
      walk.tagsCode = javaHashCode(value)
      return
    case 'unique-key':
      walk.uniqueKey = value
      return
    case 'wait':
      walk.waitStored = value.toLowerCase() !== 'false'
      return
    case 'drop':
      if (at > walk.keptFrom) walk.kept.push(bytes.subarray(walk.keptFrom, at))
      walk.keptFrom = Math.min(end + 1, bytes.length)
      return
    case 'unsupported':
      if (asksForSomething(value)) walk.unsupported = name
  }
}

/** Clients write `DELAY=0` and `TRAN_MSG=false` for "nothing special". */
function asksForSomething(value: string): boolean {
  return value !== '0' && value.toLowerCase() !== 'false'
}
