/**
 * The bytes between a master and its slaves. Pure: takes chunks as they come from a stream.
 *
 *   slave → master   offset i64                        how far the slave's log goes
 *   master → slave   offset i64, sizeBytes i32, bytes  of the log; sizeBytes 0: a heartbeat
 *
 * Nothing tells the beginning of a stream. A master sends nothing before the first report.
 * Source: Apache classes DefaultHAConnection, DefaultHAClient; `replication.md` section 2.
 */
import { readInt64, writeInt64 } from '@rockhopper/protocol'

const REPORT_BYTES = 8
export const FRAME_HEAD_BYTES = 12

/** Apache's slave reads into a buffer of this size, and waits for ever for a longer frame. */
export const MAX_FRAME_BYTES = 4 * 1024 * 1024

/** The peer sends what no peer of its kind would. */
export class HaWireError extends Error {
  override readonly name = 'HaWireError'
}

export function encodeReport(offset: number): Buffer {
  const report = Buffer.allocUnsafe(REPORT_BYTES)
  writeInt64(report, offset, 0)
  return report
}

export function encodeFrameHead(offset: number, sizeBytes: number): Buffer {
  const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES)
  writeInt64(head, offset, 0)
  head.writeInt32BE(sizeBytes, 8)
  return head
}

/** Reads what a slave sends, eight bytes at a time, however they are cut. */
export class ReportReader {
  #rest: Buffer = Buffer.alloc(0)

  /** Calls `emit` for each value. Throws `HaWireError` for one that cannot be an offset. */
  push(chunk: Buffer, emit: (offset: number) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (; bytes.length - at >= REPORT_BYTES; at += REPORT_BYTES) {
      const offset = readInt64(bytes, at)
      if (!Number.isSafeInteger(offset)) {
        throw new HaWireError(`the slave reports the offset ${offset}: it is no slave`)
      }
      emit(offset)
    }
    this.#rest = Buffer.from(bytes.subarray(at))
  }
}

/** Takes the frames of a master. */
export interface FrameReceiver {
  /** A frame begins; `sizeBytes` 0 is a heartbeat. Returns false when nothing more is wanted. */
  begin(offset: number, sizeBytes: number): boolean
  /** The next bytes of the frame. Returns false when nothing more is wanted. */
  bytes(offset: number, bytes: Buffer): boolean
}

/** Reads what a master sends; bytes of a frame are given on as soon as they come. */
export class FrameReader {
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES)
  #headBytes = 0
  /** Offset of the next byte of the frame under way, and how many are still to come. */
  #offset = 0
  #restBytes = 0

  /** Throws `HaWireError` for a head that cannot be one. */
  push(chunk: Buffer, receiver: FrameReceiver): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#restBytes > 0) {
        const bytes = chunk.subarray(at, at + this.#restBytes)
        const offset = this.#offset
        at += bytes.length
        this.#offset += bytes.length
        this.#restBytes -= bytes.length
        if (!receiver.bytes(offset, bytes)) return
        continue
      }
      const taken = chunk.copy(this.#head, this.#headBytes, at)
      at += taken
      this.#headBytes += taken
      if (this.#headBytes === FRAME_HEAD_BYTES && !this.#begin(receiver)) return
    }
  }

  #begin(receiver: FrameReceiver): boolean {
    this.#headBytes = 0
    const offset = readInt64(this.#head, 0)
    const sizeBytes = this.#head.readInt32BE(8)
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new HaWireError(`the master sends bytes of offset ${offset}: it is no master`)
    }
    if (sizeBytes < 0 || sizeBytes > MAX_FRAME_BYTES) {
      throw new HaWireError(
        `the master sends ${sizeBytes} bytes at a time, but at most ${MAX_FRAME_BYTES} are possible ` +
          '(haTransferBatchSize)',
      )
    }
    this.#offset = offset
    this.#restBytes = sizeBytes
    return receiver.begin(offset, sizeBytes)
  }
}
