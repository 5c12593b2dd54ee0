/**
 * Keeps the units last read from the files of some queues in memory: who reads on finds the next
 * ones there. Owns them; the queue used longest ago is forgotten first. What is read for the first
 * time since the start is compared with its checksums.
 */
import { UNIT_BYTES } from '@rockhopper/protocol'
import { MAX_UNIT_WINDOWS, UNITS_AT_FIRST, UNITS_PER_WINDOW } from '../limits.ts'
import type { ConsumeQueue } from './consume-queue.ts'

/** Sees to it that units in files are right: `UnitRepair`. */
interface Check {
  see(queue: ConsumeQueue, from: number, to: number): Promise<void>
}

interface UnitWindow {
  readonly startOffset: number
  readonly endOffset: number
  readonly units: Buffer
}

export class UnitWindows {
  /** The queue used last at the end. */
  readonly #held = new Map<ConsumeQueue, UnitWindow>()
  readonly #check: Check

  constructor(check: Check) {
    this.#check = check
  }

  /**
   * Units from `from` on, all in files: at the most `count`, at the least one. At once when they are
   * in memory. Rejects as `ConsumeQueue.coldUnits` does.
   */
  read(queue: ConsumeQueue, from: number, count: number): Buffer | Promise<Buffer> {
    const held = this.#held.get(queue)
    if (held === undefined || from < held.startOffset || from > held.endOffset) {
      return this.#load(queue, from, count, UNITS_AT_FIRST)
    }
    if (from + count > held.endOffset) return this.#load(queue, from, count, UNITS_PER_WINDOW)
    this.#held.delete(queue)
    this.#held.set(queue, held)
    return sliceOf(held, from, count)
  }

  /** Its units have changed in the files. */
  forget(queue: ConsumeQueue): void {
    this.#held.delete(queue)
  }

  async #load(
    queue: ConsumeQueue,
    from: number,
    count: number,
    windowUnits: number,
  ): Promise<Buffer> {
    const unitCount = Math.max(count, windowUnits)
    await this.#check.see(queue, from, from + unitCount)
    const units = await queue.coldUnits(from, unitCount)
    const endOffset = from + units.length / UNIT_BYTES
    const window = { startOffset: from, endOffset, units }
    this.#held.delete(queue)
    this.#held.set(queue, window)
    const [oldest] = this.#held.keys()
    if (this.#held.size > MAX_UNIT_WINDOWS && oldest !== undefined) this.#held.delete(oldest)
    return sliceOf(window, from, count)
  }
}

function sliceOf({ startOffset, units }: UnitWindow, from: number, count: number): Buffer {
  const at = (from - startOffset) * UNIT_BYTES
  return units.subarray(at, at + count * UNIT_BYTES)
}
