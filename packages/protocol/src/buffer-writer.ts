/**
 * Collects outgoing bytes in large chunks, so that many small frames become one write. It owns the
 * chunk that is being filled; what `take` has handed out is never touched again.
 */

const CHUNK_BYTES = 64 * 1024

/** Room for a text, in bytes for each of its characters. */
export const MAX_UTF8_BYTES = 3

/** Bodies up to this size are copied behind their head; larger ones travel as slices of their own. */
const COPY_BELOW_BYTES = 2 * 1024

/** Up to this length a loop over characters beats a call into the runtime's encoder. */
const SHORT_TEXT_CHARS = 40

export class BufferWriter {
  /** The chunk being filled; valid for writing from `position` after `reserve`. */
  buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  position = 0
  #taken = 0
  #finished: Uint8Array[] = []
  #finishedBytes = 0

  /** Bytes written and not yet taken. */
  get pendingBytes(): number {
    return this.#finishedBytes + this.position - this.#taken
  }

  /** Makes room for `count` bytes in a row at `position`. */
  reserve(count: number): void {
    if (this.position + count <= this.buffer.length) return
    this.#closeSlice()
    this.buffer = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, count))
    this.position = 0
    this.#taken = 0
  }

  /** Adds bytes that must not change afterwards: copied when few, else passed on as they are. */
  append(bytes: Uint8Array): void {
    if (bytes.length <= COPY_BELOW_BYTES) {
      this.reserve(bytes.length)
      this.buffer.set(bytes, this.position)
      this.position += bytes.length
      return
    }
    this.#closeSlice()
    this.#finished.push(bytes)
    this.#finishedBytes += bytes.length
  }

  /** Copies bytes to `position`. Room must be reserved. */
  bytes(source: Uint8Array): void {
    this.buffer.set(source, this.position)
    this.position += source.length
  }

  /** Writes text as UTF-8 at `position` and returns the bytes it took. Room must be reserved. */
  text(value: string): number {
    const start = this.position
    if (value.length <= SHORT_TEXT_CHARS && this.#ascii(value)) return this.position - start
    this.position = start + this.buffer.write(value, start)
    return this.position - start
  }

  /** Writes a whole number in decimal. Room for 20 bytes must be reserved. */
  decimal(value: number): number {
    if (value < 0 || value > 0x7fff_ffff) return this.text(String(value))
    const { buffer, position } = this
    let digits = 1
    for (let limit = 10; value >= limit; limit *= 10) digits++
    let rest = value
    for (let at = position + digits - 1; at >= position; at--) {
      const tenth = (rest / 10) | 0
      buffer[at] = 48 + rest - tenth * 10
      rest = tenth
    }
    this.position = position + digits
    return digits
  }

  byte(value: number): void {
    this.buffer[this.position++] = value
  }

  int16(value: number): void {
    this.buffer[this.position++] = value >>> 8
    this.buffer[this.position++] = value
  }

  /** Writes a short key with its 16-bit length in front. Room must be reserved. */
  key(bytes: Buffer): void {
    const { buffer } = this
    const { length } = bytes
    let at = this.position
    buffer[at++] = length >>> 8
    buffer[at++] = length
    for (let i = 0; i < length; i++) buffer[at++] = bytes[i] ?? 0
    this.position = at
  }

  int32(value: number): void {
    this.int32At(this.position, value)
    this.position += 4
  }

  int32At(at: number, value: number): void {
    const buffer = this.buffer
    buffer[at] = value >>> 24
    buffer[at + 1] = value >>> 16
    buffer[at + 2] = value >>> 8
    buffer[at + 3] = value
  }

  /** Hands out everything written so far, in order, and starts anew. */
  take(): Uint8Array[] {
    this.#closeSlice()
    const chunks = this.#finished
    this.#finished = []
    this.#finishedBytes = 0
    return chunks
  }

  #closeSlice(): void {
    if (this.position === this.#taken) return
    this.#finished.push(this.buffer.subarray(this.#taken, this.position))
    this.#finishedBytes += this.position - this.#taken
    this.#taken = this.position
  }

  /** Writes text of ASCII characters only; false, and nothing written, when it has others. */
  #ascii(value: string): boolean {
    const { buffer, position } = this
    for (let i = 0; i < value.length; i++) {
      const char = value.charCodeAt(i)
      if (char > 127) return false
      buffer[position + i] = char
    }
    this.position = position + value.length
    return true
  }
}
