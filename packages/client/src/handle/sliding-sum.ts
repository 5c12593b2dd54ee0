/**
 * The sum of what was added within the last minute, hour, or other span of time. Owns the span in
 * slots, of which the oldest is forgotten as a whole.
 */
const SLOTS = 12

export class SlidingSum {
  readonly #slotMs: number
  readonly #sums = new Float64Array(SLOTS)
  /** Which slot of all time each sum is of. */
  readonly #slots = new Float64Array(SLOTS).fill(-1)

  /** Every time given later is of one clock and never goes back. */
  constructor(spanMs: number) {
    this.#slotMs = spanMs / SLOTS
  }

  add(nowMs: number, value: number): void {
    const slot = Math.floor(nowMs / this.#slotMs)
    const at = slot % SLOTS
    const before = this.#slots[at] === slot ? (this.#sums[at] ?? 0) : 0
    this.#slots[at] = slot
    this.#sums[at] = before + value
  }

  total(nowMs: number): number {
    const oldest = Math.floor(nowMs / this.#slotMs) - SLOTS
    let total = 0
    for (let at = 0; at < SLOTS; at++) {
      if ((this.#slots[at] ?? -1) > oldest) total += this.#sums[at] ?? 0
    }
    return total
  }
}
