/**
 * The newest part of the log in memory: where records are encoded, what the writer takes to the
 * file, and what readers get slices of. Owns the chunks. Bytes of a complete record do not change
 * while somebody may hold a slice of them: only a chunk that was never lent is used again.
 *
 *   startOffset                                             endOffset
 *   | chunk, full | chunk, full | chunk: used ... | free …  |
 *
 * A chunk lies within one segment, and a record within one chunk.
 */
import { MAX_SPARE_CHUNKS, TAIL_CHUNK_BYTES } from '../limits.ts'

export interface TailChunk {
  readonly bytes: Buffer
  /** Log offset of the first byte. */
  readonly startOffset: number
  usedBytes: number
  /** Whether slices of it may be in other hands. */
  isLent: boolean
}

export class LogTail {
  readonly #limitBytes: number
  #chunks: TailChunk[]
  #last: TailChunk
  #heldBytes = 0
  /** New memory costs the time of its pages, and garbage collections. */
  readonly #spare: Buffer[] = []

  constructor(startOffset: number, limitBytes: number) {
    this.#limitBytes = limitBytes
    this.#last = { bytes: Buffer.alloc(0), startOffset, usedBytes: 0, isLent: false }
    this.#chunks = [this.#last]
  }

  /** Everything from here to the end is in memory. */
  get startOffset(): number {
    return this.#chunks[0]?.startOffset ?? this.endOffset
  }

  get endOffset(): number {
    return this.#last.startOffset + this.#last.usedBytes
  }

  /** A chunk with `sizeBytes` free in a row at its end; they count once `take` is called. */
  room(sizeBytes: number): TailChunk {
    const last = this.#last
    if (last.usedBytes + sizeBytes <= last.bytes.length) return last
    return this.#add(this.endOffset, Math.max(sizeBytes, TAIL_CHUNK_BYTES))
  }

  take(sizeBytes: number): void {
    this.#last.usedBytes += sizeBytes
  }

  /** Goes on at the start of a segment: what is between is in no chunk. */
  skipTo(offset: number): void {
    this.#add(offset, TAIL_CHUNK_BYTES)
  }

  /** The chunk with the byte at `offset`, for good; undefined when that is not in memory. */
  find(offset: number): TailChunk | undefined {
    const chunk = this.peek(offset)
    if (chunk !== undefined) chunk.isLent = true
    return chunk
  }

  /** The same for who keeps no slice of it beyond this turn. */
  peek(offset: number): TailChunk | undefined {
    const chunks = this.#chunks
    let low = 0
    let high = chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((chunks[middle]?.startOffset ?? 0) <= offset) low = middle + 1
      else high = middle
    }
    const chunk = chunks[low - 1]
    return chunk !== undefined && offset < chunk.startOffset + chunk.usedBytes ? chunk : undefined
  }

  /** What lies behind `offset`, oldest first. */
  *pending(offset: number): Generator<{ readonly bytes: Buffer; readonly offset: number }> {
    for (const { startOffset, usedBytes, bytes } of this.#chunks) {
      const from = Math.max(0, offset - startOffset)
      if (from < usedBytes) {
        yield { bytes: bytes.subarray(from, usedBytes), offset: startOffset + from }
      }
    }
  }

  /** Forgets the oldest chunks beyond the limit, as far as they are written. */
  release(writtenOffset: number): void {
    while (this.#heldBytes > this.#limitBytes && this.#chunks.length > 1) {
      const [oldest] = this.#chunks
      if (oldest === undefined || oldest.startOffset + oldest.usedBytes > writtenOffset) return
      this.#chunks.shift()
      this.#heldBytes -= oldest.bytes.length
      this.#spareOf(oldest)
    }
  }

  #add(startOffset: number, sizeBytes: number): TailChunk {
    if (this.#last.usedBytes === 0) {
      this.#chunks.pop()
      this.#heldBytes -= this.#last.bytes.length
      this.#spareOf(this.#last)
    }
    const spare = sizeBytes === TAIL_CHUNK_BYTES ? this.#spare.pop() : undefined
    const bytes = spare ?? Buffer.allocUnsafeSlow(sizeBytes)
    this.#last = { bytes, startOffset, usedBytes: 0, isLent: false }
    this.#chunks.push(this.#last)
    this.#heldBytes += sizeBytes
    return this.#last
  }

  #spareOf({ bytes, isLent }: TailChunk): void {
    const isUsable = !isLent && bytes.length === TAIL_CHUNK_BYTES
    if (isUsable && this.#spare.length < MAX_SPARE_CHUNKS) this.#spare.push(bytes)
  }
}
