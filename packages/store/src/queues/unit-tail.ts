/**
 * The newest units of one queue in memory, as they stand in its files: those that are not saved
 * yet, and those whose records are in the tail of the log. Owns their bytes.
 */
import { type QueueUnit, readUnit, UNIT_BYTES, writeUnit } from '@rockhopper/protocol'

const LEAST_UNITS = 8

export class UnitTail {
  #bytes = Buffer.alloc(0)
  /** Where the unit of `startOffset` stands in the bytes. */
  #at = 0
  #startOffset: number
  #endOffset: number

  constructor(queueOffset: number) {
    this.#startOffset = queueOffset
    this.#endOffset = queueOffset
  }

  /** Queue offset of the first unit in memory. */
  get startOffset(): number {
    return this.#startOffset
  }

  get endOffset(): number {
    return this.#endOffset
  }

  push(unit: QueueUnit): void {
    const at = this.#position(this.#endOffset)
    if (at === this.#bytes.length) return this.#growAndPush(unit)
    writeUnit(this.#bytes, at, unit)
    this.#endOffset += 1
  }

  get(queueOffset: number): QueueUnit {
    return readUnit(this.#bytes, this.#position(queueOffset))
  }

  logOffsetAt(queueOffset: number): number {
    return this.get(queueOffset).logOffset
  }

  /** Where the record of a message ends. */
  logEndAt(queueOffset: number): number {
    const { logOffset, sizeBytes } = this.get(queueOffset)
    return logOffset + sizeBytes
  }

  /** The bytes of the units from `from` to `to`, which must be in memory. */
  slice(from: number, to: number): Buffer {
    return this.#bytes.subarray(this.#position(from), this.#position(to))
  }

  /** Forgets the units before `queueOffset`. */
  dropBefore(queueOffset: number): void {
    if (queueOffset <= this.#startOffset) return
    this.#at = this.#position(queueOffset)
    this.#startOffset = queueOffset
    if (this.#startOffset === this.#endOffset) {
      this.#bytes = Buffer.alloc(0)
      this.#at = 0
    }
  }

  #position(queueOffset: number): number {
    return this.#at + (queueOffset - this.#startOffset) * UNIT_BYTES
  }

  /** Moves the units to the front, of a larger buffer if they fill more than half of this one. */
  #growAndPush(unit: QueueUnit): void {
    const count = this.#endOffset - this.#startOffset
    const capacity = this.#bytes.length / UNIT_BYTES
    const roomier = count * 2 >= capacity ? Math.max(LEAST_UNITS, capacity * 2) : capacity
    // Of small ones many share a piece of memory; what is not written is not read.
    const bytes = Buffer.allocUnsafe(roomier * UNIT_BYTES)
    this.slice(this.#startOffset, this.#endOffset).copy(bytes)
    this.#bytes = bytes
    this.#at = 0
    this.push(unit)
  }
}
