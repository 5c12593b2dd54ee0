/**
 * One message as it lies in the commit log and travels in the answers to pulls.
 * Source: Apache classes CommitLog, MessageExtEncoder, MessageDecoder; `store-format.md` section 3.
 *
 *    0 total size i32        20 queueOffset i64      48 bornHost (4 | 16) + port i32
 *    4 magic i32             28 logOffset i64           storeTimestamp i64
 *    8 body CRC i32          36 sysFlag i32             storeHost (4 | 16) + port i32
 *   12 queueId i32           40 bornTimestamp i64       reconsumeTimes i32, preparedOffset i64
 *   16 flag i32                                       body i32 + n, topic i8|i16 + n, props i16 + n
 */
import { crc32 } from 'node:zlib'
import { type HostAddress, IPV4_BYTES } from './host-address.ts'
import { readInt64, writeInt32 } from './int64.ts'
import { internName } from './intern.ts'
import { sysFlag } from './sys-flag.ts'

export const MAGIC_V1 = 0xdaa320a7 | 0
export const MAGIC_V2 = 0xdaa320ab | 0
/** Ends a segment that the next record does not fit into. */
const MAGIC_BLANK = 0xcbd43194 | 0

/** Size and magic: what a blank record has of its own. */
export const BLANK_RECORD_BYTES = 8

/** Everything but hosts, body, topic and properties, with the one-byte topic length of V1. */
const FIXED_BYTES = 75
export const LONGEST_V1_TOPIC_BYTES = 127
export const HOST_AT = 48
export const PORT_BYTES = 4
export const IPV6_BYTES = 16
/** A record with nothing in it, between hosts with short addresses. */
export const LEAST_RECORD_BYTES = FIXED_BYTES + 2 * (IPV4_BYTES + PORT_BYTES)
const CRC_MASK = 0x7fff_ffff

/** Largest properties text: its length is a signed 16-bit number. */
export const MAX_PROPERTIES_BYTES = 32_767

/** What a record holds; the offsets and the store time are the log's to give. */
export interface RecordContent {
  readonly topic: Uint8Array
  readonly queueId: number
  readonly flag: number
  /** The IPv6 bits are set by the encoder. */
  readonly sysFlag: number
  readonly bornTimestamp: number
  readonly bornHost: HostAddress
  readonly storeHost: HostAddress
  readonly reconsumeTimes: number
  readonly preparedTransactionOffset: number
  readonly body: Uint8Array
  /** Pieces of the properties text. */
  readonly properties: readonly Uint8Array[]
}

/** Where and when a record is put. */
export interface RecordPlace {
  readonly queueOffset: number
  readonly logOffset: number
  readonly storeTimestamp: number
}

/** The same for who keeps the topic apart from the rest. */
export type TopiclessContent = Omit<RecordContent, 'topic'>

export function recordBytes(content: RecordContent): number {
  return recordBytesUnder(content.topic, content)
}

export function recordBytesUnder(topic: Uint8Array, content: TopiclessContent): number {
  const topicLengthBytes = topic.length > LONGEST_V1_TOPIC_BYTES ? 2 : 1
  return (
    FIXED_BYTES -
    1 +
    topicLengthBytes +
    content.bornHost.ip.length +
    PORT_BYTES +
    content.storeHost.ip.length +
    PORT_BYTES +
    content.body.length +
    topic.length +
    propertiesBytes(content)
  )
}

export function propertiesBytes(content: { readonly properties: readonly Uint8Array[] }): number {
  let total = 0
  for (const piece of content.properties) total += piece.length
  return total
}

/** Writes the record that ends a segment: 8 bytes that stand for the `restBytes` of it. */
export function writeBlankRecord(target: Buffer, at: number, restBytes: number): void {
  writeInt32(target, restBytes, at)
  writeInt32(target, MAGIC_BLANK, at + 4)
}

/** A record taken apart; body, topic and properties are views. */
export interface StoredRecord extends RecordPlace {
  readonly sizeBytes: number
  readonly bodyCrc: number
  readonly queueId: number
  readonly flag: number
  readonly sysFlag: number
  readonly bornTimestamp: number
  readonly bornHost: HostAddress
  readonly storeHost: HostAddress
  readonly reconsumeTimes: number
  readonly preparedTransactionOffset: number
  readonly body: Buffer
  readonly topic: string
  readonly properties: Buffer
}

/** What stands at a position of a log that is being scanned. */
export type Scanned<R> =
  | { readonly kind: 'record'; readonly record: R }
  /** Go on at the end of the segment. */
  | { readonly kind: 'blank' }
  /** The bytes at hand end within the record, whose size, if known, is `sizeBytes`. */
  | { readonly kind: 'cut-off'; readonly sizeBytes: number }
  | { readonly kind: 'invalid'; readonly reason: string }

/**
 * Reads what stands at `at`, checking all lengths against each other and, with `checkCrc`, the body
 * against its checksum.
 */
export function scanRecord(source: Buffer, at: number, checkCrc: boolean): Scanned<StoredRecord> {
  const scanned = scanView(source, at, checkCrc)
  return scanned.kind === 'record' ? { kind: 'record', record: scanned.record.read() } : scanned
}

/** The same for who goes over a whole log and looks at few of the fields. */
export function scanView(source: Buffer, at: number, checkCrc: boolean): Scanned<RecordView> {
  if (source.length - at < BLANK_RECORD_BYTES) return { kind: 'cut-off', sizeBytes: 0 }
  const sizeBytes = source.readInt32BE(at)
  const magic = source.readInt32BE(at + 4)
  if (magic === MAGIC_BLANK) return { kind: 'blank' }
  if (!isRecordMagic(magic)) {
    const seen = (magic >>> 0).toString(16)
    return { kind: 'invalid', reason: `the magic number is ${seen}, not that of a record` }
  }
  if (sizeBytes < LEAST_RECORD_BYTES) {
    return { kind: 'invalid', reason: `a record cannot have ${sizeBytes} bytes` }
  }
  if (source.length - at < sizeBytes) return { kind: 'cut-off', sizeBytes }
  const record = viewRecord(source, at)
  if (record === undefined) {
    return { kind: 'invalid', reason: `the lengths within a record of ${sizeBytes} bytes disagree` }
  }
  if (checkCrc && !isBodySound(record)) {
    return { kind: 'invalid', reason: 'the checksum of the body is wrong' }
  }
  return { kind: 'record', record }
}

export function isRecordMagic(magic: number): boolean {
  return magic === MAGIC_V1 || magic === MAGIC_V2
}

/** Whether a record of that magic number has a topic length of two bytes. */
export function isLongTopic(magic: number): boolean {
  return magic === MAGIC_V2
}

/** Takes the record at `at` apart; undefined when its lengths do not fit its size. */
export function readRecord(source: Buffer, at: number): StoredRecord | undefined {
  return viewRecord(source, at)?.read()
}

function viewRecord(source: Buffer, at: number): RecordView | undefined {
  const sizeBytes = source.readInt32BE(at)
  const end = at + sizeBytes
  const flags = source.readInt32BE(at + 36)
  const storeTimeAt = at + HOST_AT + ipBytes(flags & sysFlag.bornHostV6) + PORT_BYTES
  const reconsumeAt = storeTimeAt + 8 + ipBytes(flags & sysFlag.storeHostV6) + PORT_BYTES
  const bodyAt = reconsumeAt + 16
  if (bodyAt > end || end > source.length) return undefined
  const topicLengthAt = bodyAt + source.readInt32BE(bodyAt - 4)
  const longTopic = source.readInt32BE(at + 4) === MAGIC_V2
  const topicAt = topicLengthAt + (longTopic ? 2 : 1)
  if (topicLengthAt < bodyAt || topicAt > end) return undefined
  const topicBytes = longTopic ? source.readInt16BE(topicLengthAt) : source.readInt8(topicLengthAt)
  const propertiesAt = topicAt + topicBytes + 2
  if (topicBytes < 0 || propertiesAt > end) return undefined
  if (propertiesAt + source.readInt16BE(propertiesAt - 2) !== end) return undefined
  return new RecordView(source, at, sizeBytes, {
    storeTimeAt,
    reconsumeAt,
    topicLengthAt,
    topicAt,
    propertiesAt,
  })
}

/** Where in a source the topic and the properties of a record lie. */
export interface RecordSpan {
  readonly sysFlag: number
  readonly topicAt: number
  /** The length of the properties stands before them, behind the topic. */
  readonly propertiesAt: number
  /** Behind the record, and so behind its properties. */
  readonly end: number
}

/** Where in the source the parts are whose place depends on others. */
interface RecordParts {
  readonly storeTimeAt: number
  readonly reconsumeAt: number
  readonly topicLengthAt: number
  readonly topicAt: number
  readonly propertiesAt: number
}

/** A record as it lies in the source: each field is decoded when it is asked for. */
export class RecordView implements StoredRecord, RecordSpan {
  readonly sizeBytes: number
  readonly #source: Buffer
  readonly #at: number
  readonly #parts: RecordParts

  constructor(source: Buffer, at: number, sizeBytes: number, parts: RecordParts) {
    this.#source = source
    this.#at = at
    this.sizeBytes = sizeBytes
    this.#parts = parts
  }

  /** All fields at once, in an object that can be copied. */
  read(): StoredRecord {
    return {
      sizeBytes: this.sizeBytes,
      bodyCrc: this.bodyCrc,
      queueId: this.queueId,
      flag: this.flag,
      queueOffset: this.queueOffset,
      logOffset: this.logOffset,
      sysFlag: this.sysFlag,
      bornTimestamp: this.bornTimestamp,
      bornHost: this.bornHost,
      storeTimestamp: this.storeTimestamp,
      storeHost: this.storeHost,
      reconsumeTimes: this.reconsumeTimes,
      preparedTransactionOffset: this.preparedTransactionOffset,
      body: this.body,
      topic: this.topic,
      properties: this.properties,
    }
  }

  get topicAt(): number {
    return this.#parts.topicAt
  }

  get propertiesAt(): number {
    return this.#parts.propertiesAt
  }

  get end(): number {
    return this.#at + this.sizeBytes
  }

  get bodyCrc(): number {
    return this.#source.readInt32BE(this.#at + 8)
  }

  get queueId(): number {
    return this.#source.readInt32BE(this.#at + 12)
  }

  get flag(): number {
    return this.#source.readInt32BE(this.#at + 16)
  }

  get queueOffset(): number {
    return readInt64(this.#source, this.#at + 20)
  }

  get logOffset(): number {
    return readInt64(this.#source, this.#at + 28)
  }

  get sysFlag(): number {
    return this.#source.readInt32BE(this.#at + 36)
  }

  get bornTimestamp(): number {
    return readInt64(this.#source, this.#at + 40)
  }

  get bornHost(): HostAddress {
    return readHost(this.#source, this.#at + HOST_AT, this.#parts.storeTimeAt)
  }

  get storeTimestamp(): number {
    return readInt64(this.#source, this.#parts.storeTimeAt)
  }

  get storeHost(): HostAddress {
    return readHost(this.#source, this.#parts.storeTimeAt + 8, this.#parts.reconsumeAt)
  }

  get reconsumeTimes(): number {
    return this.#source.readInt32BE(this.#parts.reconsumeAt)
  }

  get preparedTransactionOffset(): number {
    return readInt64(this.#source, this.#parts.reconsumeAt + 4)
  }

  get body(): Buffer {
    return this.#source.subarray(this.#parts.reconsumeAt + 16, this.#parts.topicLengthAt)
  }

  get topic(): string {
    const { propertiesAt, topicAt } = this.#parts
    return internName(this.#source, topicAt, propertiesAt - 2 - topicAt)
  }

  get properties(): Buffer {
    return this.#source.subarray(this.#parts.propertiesAt, this.#at + this.sizeBytes)
  }
}

/** Where the topic of the record at `at` begins, as its own lengths say. */
export function topicAtOf(source: Buffer, at: number): number {
  const flags = source.readInt32BE(at + 36)
  const ips = ipBytes(flags & sysFlag.bornHostV6) + ipBytes(flags & sysFlag.storeHostV6)
  const bodyAt = at + HOST_AT + ips + 2 * PORT_BYTES + 24
  const topicLengthAt = bodyAt + source.readInt32BE(bodyAt - 4)
  return topicLengthAt + (source.readInt32BE(at + 4) === MAGIC_V2 ? 2 : 1)
}

/** Where the properties of the record at `at` begin, as its own lengths say; they end with it. */
export function propertiesAtOf(source: Buffer, at: number): number {
  const topicAt = topicAtOf(source, at)
  const isLong = isLongTopic(source.readInt32BE(at + 4))
  return topicAt + (isLong ? source.readInt16BE(topicAt - 2) : source.readInt8(topicAt - 1)) + 2
}

/** Store time of the record whose first bytes are `head`, in ms since 1970. */
export function storeTimestampOf(head: Buffer): number {
  const bornIpBytes = ipBytes(head.readInt32BE(36) & sysFlag.bornHostV6)
  return readInt64(head, HOST_AT + bornIpBytes + PORT_BYTES)
}

/** Bytes from the start of a record that `storeTimestampOf` needs. */
export const STORE_TIMESTAMP_WITHIN_BYTES = HOST_AT + IPV6_BYTES + PORT_BYTES + 8

/** A record without a body may have any checksum. */
function isBodySound({ body, bodyCrc: expected }: StoredRecord): boolean {
  return body.length === 0 || bodyCrc(body) === expected
}

export function bodyCrc(body: Uint8Array): number {
  return body.length === 0 ? 0 : crc32(body) & CRC_MASK
}

function readHost(source: Buffer, at: number, end: number): HostAddress {
  const portAt = end - PORT_BYTES
  return { ip: source.subarray(at, portAt), port: source.readInt32BE(portAt) }
}

function ipBytes(v6Flag: number): number {
  return v6Flag === 0 ? IPV4_BYTES : IPV6_BYTES
}
