/**
 * Frames of LZ4, as Apache's clients write and read them. Source: the LZ4 frame format; Apache class
 * Lz4Compressor, which uses LZ4FrameOutputStream with blocks of 4 MiB. Pure.
 *
 *   magic u32 · flags u8 · block size u8 · [content size u64] · [dictionary u32] · checksum u8 ·
 *   blocks: size u32 (top bit: as it is) · bytes · [checksum u32] · 0 u32 · [checksum u32]
 */
import { compressBlock, contentBytes, decompressBlock, maxBlockBytes } from './lz4-block.ts'
import { xxh32 } from './xxh32.ts'

const MAGIC = 0x184d2204
/** Frames of others that readers pass over: sixteen magics from here on. */
const SKIPPED_MAGIC = 0x184d2a50
const VERSION = 0x40
const VERSION_BITS = 0xc0
const INDEPENDENT_BLOCKS = 0x20
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const CONTENT_CHECKSUM = 0x04
const DICTIONARY = 0x01
const BLOCKS_OF_4_MIB = 0x70
const BLOCK_BYTES = 4 * 1024 * 1024
const AS_IT_IS = 0x80000000
const HEAD_BYTES = 7

/** The bytes as one frame, without checksums of its content. */
export function compressFrame(bytes: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + maxBlockBytes(bytes.length) + 64)
  frame.writeUInt32LE(MAGIC)
  frame.writeUInt8(VERSION | INDEPENDENT_BLOCKS, 4)
  frame.writeUInt8(BLOCKS_OF_4_MIB, 5)
  let end = frame.writeUInt8(headChecksum(frame.subarray(4, 6)), 6)
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES)
    const size = compressBlock(block, frame.subarray(end + 4))
    if (size < block.length) end = frame.writeUInt32LE(size, end) + size
    else
      end = frame.writeUInt32LE((AS_IT_IS | block.length) >>> 0, end) + block.copy(frame, end + 4)
  }
  return frame.subarray(0, frame.writeUInt32LE(0, end))
}

/**
 * What the frames hold, one behind the other. Throws `RangeError` when one is broken, or when they
 * hold more than `maxBytes`.
 */
export function decompressFrames(bytes: Buffer, maxBytes: number): Buffer {
  const reader = new FrameReader(bytes, maxBytes)
  while (reader.hasMore) reader.readFrame()
  return reader.output
}

class FrameReader {
  readonly #bytes: Buffer
  readonly #maxBytes: number
  #at = 0
  #target: Buffer = Buffer.alloc(0)
  #end = 0

  constructor(bytes: Buffer, maxBytes: number) {
    this.#bytes = bytes
    this.#maxBytes = maxBytes
  }

  get hasMore(): boolean {
    return this.#at < this.#bytes.length
  }

  get output(): Buffer {
    return this.#target.subarray(0, this.#end)
  }

  readFrame(): void {
    const magic = this.#word()
    if ((magic & ~0xf) === SKIPPED_MAGIC) this.#take(this.#word())
    else if (magic === MAGIC) this.#readContent()
    else throw new RangeError('the body is no LZ4 frame')
  }

  #readContent(): void {
    const from = this.#end
    const flags = this.#head()
    for (let size = this.#word(); size !== 0; size = this.#word()) {
      const block = this.#take(size & ~AS_IT_IS)
      if ((flags & BLOCK_CHECKSUMS) !== 0) this.#check(block)
      this.#readBlock(block, size >= AS_IT_IS)
    }
    if ((flags & CONTENT_CHECKSUM) !== 0) this.#check(this.#target.subarray(from, this.#end))
  }

  /** Gives back the flags. */
  #head(): number {
    const from = this.#at
    const flags = this.#take(1).readUInt8()
    this.#take(1)
    if ((flags & VERSION_BITS) !== VERSION || (flags & DICTIONARY) !== 0) {
      throw new RangeError('the LZ4 frame is of a kind that is not read here')
    }
    if ((flags & CONTENT_SIZE) !== 0) this.#take(8)
    const head = this.#bytes.subarray(from, this.#at)
    if (this.#take(1).readUInt8() !== headChecksum(head)) throw wrongSum()
    return flags
  }

  #readBlock(block: Buffer, isAsItIs: boolean): void {
    this.#makeRoom(isAsItIs ? block.length : contentBytes(block))
    if (isAsItIs) this.#end += block.copy(this.#target, this.#end)
    else this.#end = decompressBlock(block, this.#target, this.#end)
  }

  #makeRoom(blockBytes: number): void {
    const wanted = this.#end + blockBytes
    if (wanted > this.#maxBytes) {
      throw new RangeError(`the LZ4 frame holds more than ${this.#maxBytes} bytes`)
    }
    if (wanted <= this.#target.length) return
    const roomier = Buffer.allocUnsafe(Math.min(Math.max(wanted, 2 * this.#end), this.#maxBytes))
    this.#target.copy(roomier, 0, 0, this.#end)
    this.#target = roomier
  }

  #check(content: Buffer): void {
    if (this.#word() !== xxh32(content)) throw wrongSum()
  }

  #word(): number {
    return this.#take(4).readUInt32LE()
  }

  #take(count: number): Buffer {
    const end = this.#at + count
    if (end > this.#bytes.length) throw new RangeError('the LZ4 frame ends too early')
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return taken
  }
}

function headChecksum(head: Buffer): number {
  return (xxh32(head) >>> 8) & 0xff
}

function wrongSum(): RangeError {
  return new RangeError('a checksum of the LZ4 frame is wrong')
}
