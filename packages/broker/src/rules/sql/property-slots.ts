/**
 * The properties that a filter asks for, found in one walk over those of a message. Owns where they
 * are in the message it looks at, and nothing of the message: it is used for the next one at once.
 *
 *   name 0x01 value 0x02 | name 0x01 value 0x02 | …       (the last 0x02 may be missing)
 *
 * It reads as `decodeProperties` of the protocol does: broken pairs do not count, and of repeated
 * names the last one does.
 */

const NAME_END = 1
const VALUE_END = 2
const ABSENT = -1
/** A whole number with so many digits is exact. */
const MOST_DIGITS = 15
const ZERO = 48
const PLUS = 43
const MINUS = 45

export class PropertySlots {
  /** The names that have the length of the index, each with its slot. */
  readonly #byLength: { readonly name: Buffer; readonly slot: number }[][] = []
  readonly #slots = new Map<string, number>()
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  readonly #texts: (string | undefined)[] = []
  #bytes: Buffer = Buffer.alloc(0)

  /** The number under which a property is found. */
  slotOf(name: string): number {
    const known = this.#slots.get(name)
    if (known !== undefined) return known
    const slot = this.#slots.size
    this.#slots.set(name, slot)
    this.#starts.push(ABSENT)
    this.#ends.push(ABSENT)
    this.#texts.push(undefined)
    const bytes = Buffer.from(name)
    const sameLength = this.#byLength[bytes.length] ?? []
    sameLength.push({ name: bytes, slot })
    this.#byLength[bytes.length] = sameLength
    return slot
  }

  /** Looks at the properties between two places. */
  open(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes
    this.#starts.fill(ABSENT)
    for (let at = from; at < to; at++) {
      const nameFrom = at
      let byte = bytes[at]
      while (byte !== NAME_END && byte !== VALUE_END && at < to) byte = bytes[++at]
      if (byte !== NAME_END || at >= to) continue
      const nameEnd = at
      while (byte !== VALUE_END && at < to) byte = bytes[++at]
      if (at > nameEnd + 1) this.#note(nameFrom, nameEnd, at)
    }
  }

  has(slot: number): boolean {
    return this.#starts[slot] !== ABSENT
  }

  /** The value as text; null when the message has no such property. */
  text(slot: number): string | null {
    const start = this.#starts[slot] ?? ABSENT
    if (start === ABSENT) return null
    const known = this.#texts[slot]
    if (known !== undefined) return known
    const text = this.#bytes.toString('utf8', start, this.#ends[slot])
    this.#texts[slot] = text
    return text
  }

  /** The value of a property that is there, if it is a whole number of few Latin digits; else NaN. */
  smallWhole(slot: number): number {
    const bytes = this.#bytes
    const end = this.#ends[slot] ?? 0
    const start = this.#starts[slot] ?? 0
    const sign = bytes[start]
    const from = sign === MINUS || sign === PLUS ? start + 1 : start
    if (from >= end || end - from > MOST_DIGITS) return Number.NaN
    let value = 0
    for (let at = from; at < end; at++) {
      const digit = (bytes[at] ?? 0) - ZERO
      if (digit < 0 || digit > 9) return Number.NaN
      value = value * 10 + digit
    }
    return sign === MINUS ? 0 - value : value
  }

  /** Whether a property that is there has this value. */
  isEqual(slot: number, value: Buffer): boolean {
    const start = this.#starts[slot] ?? 0
    const end = this.#ends[slot] ?? 0
    return end - start === value.length && isAt(this.#bytes, start, value)
  }

  #note(nameFrom: number, nameEnd: number, valueEnd: number): void {
    const candidates = this.#byLength[nameEnd - nameFrom]
    if (candidates === undefined) return
    for (const { name, slot } of candidates) {
      if (!isAt(this.#bytes, nameFrom, name)) continue
      this.#starts[slot] = nameEnd + 1
      this.#ends[slot] = valueEnd
      this.#texts[slot] = undefined
      return
    }
  }
}

function isAt(bytes: Buffer, at: number, wanted: Buffer): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false
  return true
}
