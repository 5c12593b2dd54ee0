/**
 * Finds up to where two logs are equal, by asking whether stretches of them are. Pure: it says what
 * to compare next and is told the outcome. Owns what is known so far.
 *
 *   proven equal          may be equal            differs, or one of them has ended
 *   |––––––––––––––––––––|––––––––––––––––––––––|
 *              knownOffset            limitOffset
 *
 * What is longer than the window is compared at its end only: a record says where it is and when it
 * was stored, so logs with the same records there have the same ones before.
 */

export interface Stretch {
  readonly from: number
  readonly to: number
}

export class EqualPrefix {
  readonly #windowBytes: number
  #knownOffset: number
  #limitOffset: number
  #isProven = false
  #probeOffset: number

  /** Both logs have what lies between the offsets. `windowBytes` is more than the longest record. */
  constructor(fromOffset: number, toOffset: number, windowBytes: number) {
    this.#windowBytes = windowBytes
    this.#knownOffset = fromOffset
    this.#limitOffset = Math.max(fromOffset, toOffset)
    // Most often all is equal.
    this.#probeOffset = this.#limitOffset
  }

  /** What is to be compared next; undefined when it is known up to where they are equal. */
  get question(): Stretch | undefined {
    if (this.#knownOffset >= this.#limitOffset) return undefined
    const from = Math.max(this.#knownOffset, this.#probeOffset - this.#windowBytes)
    return { from, to: this.#probeOffset }
  }

  /** The outcome of comparing what was asked. */
  answer(isEqual: boolean): void {
    if (isEqual) {
      this.#knownOffset = this.#probeOffset
      this.#isProven = true
    } else this.#limitOffset = this.#probeOffset - 1
    const half = Math.ceil((this.#limitOffset - this.#knownOffset) / 2)
    this.#probeOffset = this.#knownOffset + half
  }

  /** Once nothing is left to ask: up to where they are equal; undefined when they are nowhere. */
  get endOffset(): number | undefined {
    return this.#isProven ? this.#knownOffset : undefined
  }
}
