/**
 * The room on a simulated device. Owns the count of pages in use.
 */
export class SimVolume {
  readonly #pageBytes: number
  /** May be changed while the simulation runs: below what is in use, the volume is full. */
  capacityBytes: number
  #usedPages = 0

  constructor(pageBytes: number, capacityBytes: number) {
    this.#pageBytes = pageBytes
    this.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    return this.#usedPages * this.#pageBytes
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes)
  }

  /** Takes room for so many pages; false, and nothing taken, when it is not there. */
  take(pages: number): boolean {
    if (this.freeBytes < pages * this.#pageBytes) return false
    this.#usedPages += pages
    return true
  }

  /** Takes the room even when the volume is full: for pages that a crash brings back. */
  takeAlways(pages: number): void {
    this.#usedPages += pages
  }

  release(pages: number): void {
    this.#usedPages -= pages
  }
}
