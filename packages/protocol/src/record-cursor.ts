/**
 * Goes over the records of a log without an object for each: it stands on one record at a time.
 * Owns where it stands. The layout is that of `record.ts`, and so is the answer to what is wrong
 * where it cannot stand.
 */
import { IPV4_BYTES } from './host-address.ts'
import {
  HOST_AT,
  IPV6_BYTES,
  isLongTopic,
  isRecordMagic,
  LEAST_RECORD_BYTES,
  PORT_BYTES,
  type RecordSpan,
} from './record.ts'
import { sysFlag } from './sys-flag.ts'

const TWO_32 = 0x1_0000_0000

export class RecordCursor implements RecordSpan {
  sizeBytes = 0
  sysFlag = 0
  topicAt = 0
  propertiesAt = 0
  end = 0
  #view = new DataView<ArrayBufferLike>(new ArrayBuffer(0))
  #at = 0
  #storeTimeAt = 0

  /** Chooses the bytes to go over. */
  open(source: Buffer): void {
    this.#view = new DataView(source.buffer, source.byteOffset, source.length)
  }

  get logOffset(): number {
    return int64(this.#view, this.#at + 28)
  }

  get storeTimestamp(): number {
    return int64(this.#view, this.#storeTimeAt)
  }

  /** Whether a whole record, of which all lengths agree, begins at `at`: then it stands on it. */
  moveTo(at: number): boolean {
    const view = this.#view
    if (view.byteLength - at < LEAST_RECORD_BYTES) return false
    const sizeBytes = view.getInt32(at)
    const magic = view.getInt32(at + 4)
    if (sizeBytes < LEAST_RECORD_BYTES || sizeBytes > view.byteLength - at) return false
    if (!isRecordMagic(magic)) return false
    this.#at = at
    this.sizeBytes = sizeBytes
    this.end = at + sizeBytes
    this.sysFlag = view.getInt32(at + 36)
    this.#storeTimeAt = at + HOST_AT + hostBytes(this.sysFlag & sysFlag.bornHostV6)
    const bodyAt = this.#storeTimeAt + 24 + hostBytes(this.sysFlag & sysFlag.storeHostV6)
    return bodyAt <= this.end && this.#findTopic(view, bodyAt + view.getInt32(bodyAt - 4), bodyAt)
  }

  #findTopic(view: DataView, lengthAt: number, bodyAt: number): boolean {
    const { end } = this
    if (lengthAt < bodyAt || lengthAt + 2 > end) return false
    const isLong = isLongTopic(view.getInt32(this.#at + 4))
    const topicBytes = isLong ? view.getInt16(lengthAt) : view.getInt8(lengthAt)
    this.topicAt = lengthAt + (isLong ? 2 : 1)
    this.propertiesAt = this.topicAt + topicBytes + 2
    if (topicBytes < 0 || this.propertiesAt > end) return false
    return this.propertiesAt + view.getInt16(this.propertiesAt - 2) === end
  }
}

function hostBytes(v6Flag: number): number {
  return (v6Flag === 0 ? IPV4_BYTES : IPV6_BYTES) + PORT_BYTES
}

function int64(view: DataView, at: number): number {
  return view.getInt32(at) * TWO_32 + view.getUint32(at + 4)
}
