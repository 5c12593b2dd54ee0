/**
 * Reads ZSTD where Node.js does not: with the library fzstd, which is plain JavaScript. It takes the
 * room that frames ask for without a limit, so it is looked at first how much that is. Source: RFC 8878,
 * section 3.1. Pure.
 *
 *   magic       4   28 B5 2F FD; 5x 2A 4D 18 begins a frame to be skipped, with its length behind
 *   descriptor  1   bits 7-6: bytes of the content size; 5: no window byte; 2: checksum; 1-0: dictionary
 *   window      1   bits 7-3: exponent, 2-0: eighths
 *   dictionary, content size
 *   blocks      3 + n   bit 0: the last one; 2-1: kind (1: one byte, n times); 23-3: n
 *   checksum    4
 */
import { Decompress } from 'fzstd'

const MAGIC = 0xfd2fb528
const SKIPPED_MAGIC = 0x184d2a50
const SKIPPED_MASK = 0xfffffff0
const WINDOW_BASE_LOG = 10
const RUN_LENGTH = 1

/** Room for the windows of all frames of a body: that of one at the highest level. */
const MAX_WINDOW_BYTES = 128 * 1024 * 1024

/** Bytes of the dictionary's id, and of the content size, by two bits of the descriptor. */
const ID_BYTES = [0, 1, 2, 4] as const
const SIZE_BYTES = [0, 2, 4, 8] as const

/**
 * Throws `RangeError` at a body that would take too much room, or is cut short, and what the library
 * throws at a broken one. A checksum is not looked at: messages have their own.
 */
export function decompressFrames(bytes: Buffer, maxBytes: number): Buffer {
  checkFrames(bytes)
  const parts: Uint8Array[] = []
  let sizeBytes = 0
  const reading = new Decompress((part) => {
    sizeBytes += part.length
    if (sizeBytes > maxBytes) throw new RangeError(`it is longer than ${maxBytes} bytes`)
    // The library may write into its arrays again.
    parts.push(part.slice())
  })
  reading.push(bytes, true)
  return Buffer.concat(parts)
}

function checkFrames(bytes: Buffer): void {
  let windowBytes = 0
  for (let at = 0; at < bytes.length; ) {
    if ((need(bytes, at, 4) & SKIPPED_MASK) >>> 0 === SKIPPED_MAGIC) {
      at += 8 + need(bytes, at + 4, 4)
      continue
    }
    windowBytes += windowOf(bytes, at)
    if (windowBytes > MAX_WINDOW_BYTES) {
      throw new RangeError(`it needs ${windowBytes} bytes at a time, of ${MAX_WINDOW_BYTES}`)
    }
    at = endOf(bytes, at)
    if (at > bytes.length) throw cutShort()
  }
}

function windowOf(bytes: Buffer, at: number): number {
  if (need(bytes, at, 4) !== MAGIC) throw new RangeError('it does not begin as ZSTD does')
  const { contentBytes, idBytes, isSingle } = shapeOf(bytes, at)
  if (!isSingle) {
    const window = need(bytes, at + 5, 1)
    const base = 2 ** (WINDOW_BASE_LOG + (window >> 3))
    return base + (base / 8) * (window & 7)
  }
  const low = need(bytes, at + 5 + idBytes, Math.min(contentBytes, 4))
  const high = contentBytes === 8 ? need(bytes, at + 9 + idBytes, 4) : 0
  return high * 2 ** 32 + low + (contentBytes === 2 ? 256 : 0)
}

function endOf(bytes: Buffer, at: number): number {
  const { contentBytes, hasChecksum, idBytes, isSingle } = shapeOf(bytes, at)
  let end = at + 5 + (isSingle ? 0 : 1) + idBytes + contentBytes
  for (let isLast = false; !isLast; ) {
    const head = need(bytes, end, 3)
    isLast = (head & 1) === 1
    end += 3 + (((head >> 1) & 3) === RUN_LENGTH ? 1 : head >> 3)
  }
  return end + (hasChecksum ? 4 : 0)
}

function shapeOf(bytes: Buffer, at: number) {
  const descriptor = need(bytes, at + 4, 1)
  const isSingle = (descriptor & 0x20) !== 0
  const sizeBytes = SIZE_BYTES[descriptor >> 6] ?? 0
  return {
    isSingle,
    hasChecksum: (descriptor & 4) !== 0,
    idBytes: ID_BYTES[descriptor & 3] ?? 0,
    contentBytes: sizeBytes === 0 && isSingle ? 1 : sizeBytes,
  }
}

/** A number of some bytes, least first. */
function need(bytes: Buffer, at: number, count: number): number {
  if (at + count > bytes.length) throw cutShort()
  return bytes.readUIntLE(at, count)
}

function cutShort(): RangeError {
  return new RangeError('it is cut short')
}
