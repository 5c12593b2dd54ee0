/**
 * The slots of one file of the key index in memory, as they stand in the file: for each slot the
 * number of its newest entry. Owns them, and knows which pages of them the file lacks.
 */
import { INDEX_SLOT_BYTES } from '@rockhopper/protocol'

/** Pages are so many bytes, as a power of two. */
const PAGE_SHIFT = 12
const PAGE_BYTES = 1 << PAGE_SHIFT

/** A run of bytes of the slots. */
export interface SlotRun {
  /** From the first byte of the first slot. */
  readonly at: number
  readonly bytes: Buffer
}

export class KeyIndexSlots {
  readonly bytes: Buffer
  readonly #view: DataView
  readonly #slotCount: number
  /** For each page, whether the file lacks what is in it. */
  readonly #changed: Uint8Array

  constructor(slotCount: number) {
    this.#slotCount = slotCount
    this.bytes = Buffer.alloc(slotCount * INDEX_SLOT_BYTES)
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
    this.#changed = new Uint8Array(Math.ceil(this.bytes.length / PAGE_BYTES))
  }

  /** Puts an entry into the slot of its hash; returns the entry that was there, 0 if none. */
  put(hash: number, entry: number): number {
    const at = (hash % this.#slotCount) * INDEX_SLOT_BYTES
    const before = this.#view.getInt32(at)
    this.#view.setInt32(at, entry)
    this.#changed[at >>> PAGE_SHIFT] = 1
    return before
  }

  /** The newest entry in the slot of a hash, 0 if there is none. */
  get(hash: number): number {
    return this.#view.getInt32((hash % this.#slotCount) * INDEX_SLOT_BYTES)
  }

  /** How many slots have an entry; undefined when one names an entry that there is not. */
  countUsed(nextEntry: number): number | undefined {
    let used = 0
    for (let at = 0; at < this.bytes.length; at += INDEX_SLOT_BYTES) {
      const entry = this.#view.getInt32(at)
      if (entry < 0 || entry >= nextEntry) return undefined
      if (entry > 0) used += 1
    }
    return used
  }

  /** Empties all slots. */
  clear(): void {
    this.bytes.fill(0)
    this.#changed.fill(1)
  }

  /** What the file lacks, in runs of at the most `maxBytes`; `wrote` is called for what it got. */
  *changedRuns(maxBytes: number): Generator<SlotRun> {
    const maxPages = Math.max(1, Math.floor(maxBytes / PAGE_BYTES))
    for (let page = this.#changed.indexOf(1); page !== -1; page = this.#changed.indexOf(1, page)) {
      let end = page + 1
      while (end - page < maxPages && this.#changed[end] === 1) end += 1
      const at = page * PAGE_BYTES
      yield { at, bytes: this.bytes.subarray(at, end * PAGE_BYTES) }
      this.#changed.fill(0, page, end)
      page = end
    }
  }
}
