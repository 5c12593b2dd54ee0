/**
 * Which messages a read gives: pure decisions over units of a queue and the records they point to.
 *
 *   units → wanted by tag? by the filter, if the record is at hand → enough? → spots
 *   spots of records from files → wanted by the filter? → enough? → fewer spots
 */
import assert from 'node:assert/strict'
import { type QueueUnit, readUnit, UNIT_BYTES } from '@rockhopper/protocol'
import type { RecordSpot } from '../log/log-reader.ts'
import type { ReadRequest, RecordFilter } from '../outcome.ts'

/** What a unit says of its message; only one from a file can be wrong. */
export type UnitState = 'live' | 'removed' | 'wrong'

/** What was chosen of the units that were looked at. */
export interface Choice {
  readonly spots: readonly RecordSpot[]
  readonly bytes: number
  /** Units looked at, chosen or not. */
  readonly scanned: number
  /** Whether a record is gone from the log. */
  readonly removed: boolean
}

interface Bounds extends ReadRequest {
  /** Units from this log offset on are left for the next read. */
  readonly logLimit: number
}

/** Goes over units until enough of them are wanted, or one is wrong. */
export function choose(
  units: Buffer,
  { filter, logLimit, maxBytes, maxMessages, offset }: Bounds,
  stateOf: (unit: QueueUnit) => UnitState,
  isWanted: (unit: QueueUnit) => boolean,
): Choice {
  const spots: RecordSpot[] = []
  let bytes = 0
  let removed = false
  let at = 0
  for (; at < units.length; at += UNIT_BYTES) {
    const unit = readUnit(units, at)
    const full = spots.length >= maxMessages || bytes + unit.sizeBytes > maxBytes
    if (full && spots.length > 0) break
    if (at > 0 && (unit.logOffset >= logLimit || filter?.isSpent === true)) break
    const state = stateOf(unit)
    if (state === 'wrong') break
    if (state === 'removed') {
      removed = true
    } else if (isWanted(unit)) {
      const { logOffset, sizeBytes } = unit
      spots.push({ queueOffset: offset + at / UNIT_BYTES, logOffset, sizeBytes })
      bytes += sizeBytes
    }
  }
  return { spots, bytes, scanned: at / UNIT_BYTES, removed }
}

interface Sifted {
  readonly choice: Choice
  readonly slices: readonly Buffer[]
}

/** Keeps of a choice what the filter wants; `slices` hold its records back to back. */
export function sift(
  { removed, scanned, spots }: Choice,
  slices: readonly Buffer[],
  filter: RecordFilter,
  { maxBytes, maxMessages, offset }: ReadRequest,
): Sifted {
  const kept: RecordSpot[] = []
  const sieve = new Sieve(slices)
  let bytes = 0
  let seenTo = offset + scanned
  for (const spot of spots) {
    const full = kept.length >= maxMessages || bytes + spot.sizeBytes > maxBytes
    if ((full && kept.length > 0) || (filter.isSpent && spot !== spots[0])) {
      seenTo = spot.queueOffset
      break
    }
    if (sieve.pass(spot.sizeBytes, filter)) {
      kept.push(spot)
      bytes += spot.sizeBytes
    }
  }
  const choice = { spots: kept, bytes, scanned: seenTo - offset, removed }
  return { choice, slices: sieve.kept }
}

/** Walks over records that lie back to back in slices, and keeps slices of some of them. */
class Sieve {
  readonly kept: Buffer[] = []
  readonly #slices: readonly Buffer[]
  #index = 0
  #at = 0
  /** Where in the present slice the records that are kept and follow each other begin. */
  #keptFrom: number | undefined

  constructor(slices: readonly Buffer[]) {
    this.#slices = slices
  }

  /** Goes on by a record, and keeps it if the filter wants it. */
  pass(sizeBytes: number, filter: RecordFilter): boolean {
    if (this.#at === this.#slices[this.#index]?.length) {
      this.#index++
      this.#at = 0
      this.#keptFrom = undefined
    }
    const slice = this.#slices[this.#index]
    assert(slice !== undefined, 'there is a slice with each record')
    const at = this.#at
    this.#at += sizeBytes
    if (!filter.matches(slice, at)) {
      this.#keptFrom = undefined
      return false
    }
    if (this.#keptFrom === undefined) this.#keptFrom = at
    else this.kept.pop()
    this.kept.push(slice.subarray(this.#keptFrom, this.#at))
    return true
  }
}
