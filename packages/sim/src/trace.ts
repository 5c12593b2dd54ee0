/**
 * The running hash of a simulation: two runs of one seed that differ anywhere differ in their hash.
 * Owns the two halves of the hash and, when asked for, the lines behind it (to find where two runs
 * part).
 */

const FIRST_PRIME = 0x85ebca6b
const SECOND_PRIME = 0xc2b2ae35

export class SimTrace {
  /** What was noted, one line each; empty unless recording. */
  readonly lines: string[] = []
  readonly #recording: boolean
  readonly #number = new Float64Array(1)
  readonly #words = new Uint32Array(this.#number.buffer)
  #first = 0x9747b28c
  #second = 0x811c9dc5
  #count = 0

  constructor(recording = false) {
    this.#recording = recording
  }

  /** How many events were noted. */
  get count(): number {
    return this.#count
  }

  /** Adds one event: what happened, and the numbers that tell it from others of its kind. */
  note(kind: string, ...numbers: readonly number[]): void {
    this.#count += 1
    for (let i = 0; i < kind.length; i += 1) this.#mix(kind.charCodeAt(i))
    for (const number of numbers) {
      this.#number[0] = number
      this.#mix(this.#words[0] ?? 0)
      this.#mix(this.#words[1] ?? 0)
    }
    if (this.#recording) this.lines.push(`${kind} ${numbers.join(' ')}`)
  }

  /** The hash so far: 16 hexadecimal digits. */
  digest(): string {
    const high = (this.#first >>> 0).toString(16).padStart(8, '0')
    const low = (this.#second >>> 0).toString(16).padStart(8, '0')
    return high + low
  }

  #mix(word: number): void {
    this.#first = Math.imul(rotate(this.#first ^ word, 13), FIRST_PRIME) ^ this.#second
    this.#second = Math.imul(rotate(this.#second + word, 17), SECOND_PRIME) ^ (this.#first >>> 15)
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
