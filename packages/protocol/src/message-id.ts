/**
 * Ids of messages: the broker's offset id, and the client's unique key.
 * Source: Apache classes MessageDecoder, MessageClientIDSetter; `store-format.md` section 13.
 */
import { type HostAddress, hostAddress, IPV4_BYTES } from './host-address.ts'
import { readInt64 } from './int64.ts'

/** The part of an offset id that is the same for all messages of a broker. */
export function offsetIdPrefix(storeHost: HostAddress): string {
  const port = Buffer.alloc(4)
  port.writeInt32BE(storeHost.port)
  return (storeHost.ip.toString('hex') + port.toString('hex')).toUpperCase()
}

/** Each byte as two digits of upper-case hex: numbers are put together from these. */
const HEX = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).toUpperCase().padStart(2, '0'),
)

/** Address and commit log offset of a message in upper-case hex, 32 characters (56 with IPv6). */
export function offsetMessageId(prefix: string, logOffset: number): string {
  return prefix + hex32(Math.floor(logOffset / 0x1_0000_0000)) + hex32(logOffset)
}

/** What an offset id says; undefined when the text is none. */
export function parseOffsetMessageId(
  id: string,
): { readonly host: HostAddress; readonly logOffset: number } | undefined {
  if (!/^(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{56})$/.test(id)) return undefined
  const bytes = Buffer.from(id, 'hex')
  const ipBytes = id.length === 32 ? IPV4_BYTES : 16
  return {
    host: { ip: bytes.subarray(0, ipBytes), port: bytes.readInt32BE(ipBytes) },
    logOffset: readInt64(bytes, ipBytes + 4),
  }
}

/** The counter has 16 bits and starts anew behind the last. */
const COUNTER_LIMIT = 0x1_0000

/**
 * Makes unique keys in Apache's layout: IP, process id, a random number instead of the class
 * loader's hash (two containers may share IP and process id), time in the month, counter.
 */
export class UniqueKeys {
  readonly #prefix: string
  readonly #nowMs: () => number
  #monthStartMs = 0
  #monthEndMs = 0
  #counter = 0
  /** The keys of one millisecond differ in the counter alone. */
  #keyMs = -1
  #keyStart = ''

  /** `salt` is a random number of 32 bits. */
  constructor(options: { ip: string; pid: number; salt: number; nowMs: () => number }) {
    const { ip } = hostAddress(options.ip, 0)
    const bytes = Buffer.alloc(6)
    bytes.writeUInt16BE(options.pid & 0xffff)
    bytes.writeInt32BE(options.salt | 0, 2)
    this.#prefix = (ip.toString('hex') + bytes.toString('hex')).toUpperCase()
    this.#nowMs = options.nowMs
  }

  next(): string {
    const nowMs = this.#nowMs()
    if (nowMs !== this.#keyMs) this.#turnMs(nowMs)
    const counter = this.#counter
    this.#counter = (counter + 1) % COUNTER_LIMIT
    return this.#keyStart + hexByte(counter >>> 8) + hexByte(counter)
  }

  #turnMs(nowMs: number): void {
    if (nowMs >= this.#monthEndMs || nowMs < this.#monthStartMs) this.#turnMonth(nowMs)
    this.#keyMs = nowMs
    this.#keyStart = this.#prefix + hex32(nowMs - this.#monthStartMs)
  }

  /** Months are counted in UTC here, for the local zone is the machine's; readers only compare. */
  #turnMonth(nowMs: number): void {
    const { start, end } = monthOf(nowMs)
    this.#monthStartMs = start
    this.#monthEndMs = end
  }
}

/** The lowest 32 bits, as eight digits. */
function hex32(value: number): string {
  return hexByte(value >>> 24) + hexByte(value >>> 16) + hexByte(value >>> 8) + hexByte(value)
}

/** The lowest eight bits. */
function hexByte(value: number): string {
  return HEX[value & 0xff] ?? ''
}

const DAY_MS = 86_400_000

/** First millisecond of the month of `nowMs` and of the next, in UTC, by civil calendar arithmetic. */
function monthOf(nowMs: number): { start: number; end: number } {
  const days = Math.floor(nowMs / DAY_MS) + 719_468
  const era = Math.floor(days / 146_097)
  const dayOfEra = days - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1_460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear =
    dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const month = Math.floor((5 * dayOfYear + 2) / 153)
  const firstDay = Math.floor((153 * month + 2) / 5)
  const nextDay = Math.floor((153 * (month + 1) + 2) / 5)
  const today = Math.floor(nowMs / DAY_MS)
  const start = today - (dayOfYear - firstDay)
  return { start: start * DAY_MS, end: (start + nextDay - firstDay) * DAY_MS }
}
