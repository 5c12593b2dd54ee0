/**
 * One string for names that come again and again (topics, groups), found by their bytes. A shared
 * string saves the decoding, and its hash is computed once for all the maps it is looked up in.
 * Owns a table of fixed size; a collision just replaces the older entry.
 */

const SLOTS = 1024
const LONGEST_NAME_BYTES = 127

interface Slot {
  readonly bytes: Buffer
  readonly name: string
}

const table: (Slot | undefined)[] = new Array<Slot | undefined>(SLOTS).fill(undefined)

export function internName(block: Buffer, at: number, length: number): string {
  if (length > LONGEST_NAME_BYTES) return block.toString('utf8', at, at + length)
  let hash = length
  for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + (block[i] ?? 0)) | 0
  const index = hash & (SLOTS - 1)
  const slot = table[index]
  if (slot !== undefined && equal(slot.bytes, block, at, length)) return slot.name
  const bytes = Buffer.from(block.subarray(at, at + length))
  const name = bytes.toString()
  table[index] = { bytes, name }
  return name
}

function equal(bytes: Buffer, block: Buffer, at: number, length: number): boolean {
  if (bytes.length !== length) return false
  for (let i = 0; i < length; i++) if (bytes[i] !== block[at + i]) return false
  return true
}
