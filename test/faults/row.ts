/** A row of plain numbers that grows as needed and is 0 where nothing was put. Owns the numbers. */

type Numbers = Uint8Array | Uint32Array | Float64Array
type NumbersOf = new (length: number) => Numbers

const FIRST_LENGTH = 1024

export class Row {
  readonly #make: NumbersOf
  #numbers: Numbers
  #length = 0

  constructor(make: NumbersOf) {
    this.#make = make
    this.#numbers = new make(FIRST_LENGTH)
  }

  /** Behind the last place that was given a number. */
  get length(): number {
    return this.#length
  }

  get(at: number): number {
    return this.#numbers[at] ?? 0
  }

  set(at: number, value: number): void {
    if (at >= this.#numbers.length) this.#grow(at + 1)
    this.#numbers[at] = value
    if (at >= this.#length) this.#length = at + 1
  }

  clear(): void {
    this.#numbers.fill(0)
  }

  #grow(least: number): void {
    const grown = new this.#make(Math.max(least, this.#numbers.length * 2))
    grown.set(this.#numbers)
    this.#numbers = grown
  }
}
