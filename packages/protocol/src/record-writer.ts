/**
 * Puts records into the log. Owns the view of the bytes that it writes to: one is made for each
 * piece of the log, not for each record. The layout is that of `record.ts`.
 */
import { type HostAddress, IPV4_BYTES } from './host-address.ts'
import {
  bodyCrc,
  HOST_AT,
  LONGEST_V1_TOPIC_BYTES,
  MAGIC_V1,
  MAGIC_V2,
  PORT_BYTES,
  type RecordContent,
  type RecordPlace,
  type TopiclessContent,
} from './record.ts'
import { sysFlag } from './sys-flag.ts'

const TWO_32 = 0x1_0000_0000
const V6_HOSTS = sysFlag.bornHostV6 | sysFlag.storeHostV6

export class RecordWriter {
  #bytes: Buffer = Buffer.alloc(0)
  #view = new DataView<ArrayBufferLike>(new ArrayBuffer(0))

  /** Chooses the bytes to write to. */
  open(bytes: Buffer): void {
    if (bytes === this.#bytes) return
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Writes a record of `sizeBytes` (as `recordBytes` gives) at `at`. */
  write(
    at: number,
    sizeBytes: number,
    topic: Uint8Array,
    content: TopiclessContent,
    place: RecordPlace,
  ): void {
    const view = this.#view
    const { body } = content
    view.setInt32(at, sizeBytes)
    view.setInt32(at + 4, topic.length > LONGEST_V1_TOPIC_BYTES ? MAGIC_V2 : MAGIC_V1)
    view.setInt32(at + 8, bodyCrc(body))
    view.setInt32(at + 12, content.queueId)
    view.setInt32(at + 16, content.flag)
    setInt64(view, at + 20, place.queueOffset)
    setInt64(view, at + 28, place.logOffset)
    view.setInt32(at + 36, withHostBits(content))
    setInt64(view, at + 40, content.bornTimestamp)
    let next = this.#putHost(at + HOST_AT, content.bornHost)
    setInt64(view, next, place.storeTimestamp)
    next = this.#putHost(next + 8, content.storeHost)
    view.setInt32(next, content.reconsumeTimes)
    setInt64(view, next + 4, content.preparedTransactionOffset)
    view.setInt32(next + 12, body.length)
    this.#bytes.set(body, next + 16)
    next = this.#putTopic(next + 16 + body.length, topic)
    view.setInt16(next, at + sizeBytes - next - 2)
    this.#putProperties(next + 2, content.properties)
  }

  /** Returns the position behind the host, as `#putTopic` does for the topic. */
  #putHost(at: number, { ip, port }: HostAddress): number {
    const bytes = this.#bytes
    for (let i = 0; i < ip.length; i++) bytes[at + i] = ip[i] ?? 0
    this.#view.setInt32(at + ip.length, port)
    return at + ip.length + PORT_BYTES
  }

  #putTopic(at: number, topic: Uint8Array): number {
    const bytes = this.#bytes
    let next = at
    if (topic.length > LONGEST_V1_TOPIC_BYTES) bytes[next++] = topic.length >>> 8
    bytes[next++] = topic.length
    // Names are short: a call to copy one takes longer.
    for (let i = 0; i < topic.length; i++) bytes[next + i] = topic[i] ?? 0
    return next + topic.length
  }

  #putProperties(at: number, pieces: readonly Uint8Array[]): void {
    let next = at
    for (const piece of pieces) {
      this.#bytes.set(piece, next)
      next += piece.length
    }
  }
}

/** Writes one record of `sizeBytes` (as `recordBytes` gives) into `target` at `at`. */
export function writeRecord(
  target: Buffer,
  at: number,
  sizeBytes: number,
  content: RecordContent,
  place: RecordPlace,
): void {
  const writer = new RecordWriter()
  writer.open(target)
  writer.write(at, sizeBytes, content.topic, content, place)
}

function setInt64(view: DataView, at: number, value: number): void {
  view.setInt32(at, Math.floor(value / TWO_32))
  view.setInt32(at + 4, value | 0)
}

function withHostBits({ bornHost, storeHost, sysFlag: flags }: TopiclessContent): number {
  const born = bornHost.ip.length === IPV4_BYTES ? 0 : sysFlag.bornHostV6
  const store = storeHost.ip.length === IPV4_BYTES ? 0 : sysFlag.storeHostV6
  return (flags & ~V6_HOSTS) | born | store
}
