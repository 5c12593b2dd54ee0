/**
 * How far the messages of each level of delay are delivered. Owns the map level → queue offset of
 * the next one, kept in `config/delayOffset.json`: level n waits in queue n − 1.
 *
 * Beside what Apache has in that file stands `logOffset`: every delivery noted there was appended to
 * the log before it, and every later one behind it.
 * Source: Apache classes ScheduleMessageService, DelayOffsetSerializeWrapper; `store-format.md` 16.5.
 */
import type { Clock } from '@rockhopper/host'
import {
  asNumber,
  asObject,
  type DataVersion,
  dataVersionOf,
  NO_DATA_VERSION,
  nextDataVersion,
} from '@rockhopper/protocol'

/** Deliveries per step of the data version (Apache: `delayOffsetUpdateVersionStep`). */
const VERSION_STEP = 200

/** How delivery stood at some time. */
export interface SavedDelays {
  readonly hasFile: boolean
  /** Undefined when another broker than this one wrote the file. */
  readonly logOffset: number | undefined
}

export class DelayOffsetTable {
  readonly #clock: Clock
  readonly #offsets = new Map<number, number>()
  #version: DataVersion = NO_DATA_VERSION
  #deliveries = 0
  #saved: SavedDelays = { hasFile: false, logOffset: undefined }

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What the file said at the start, or the master that is followed said last. */
  get saved(): SavedDelays {
    return this.#saved
  }

  /** Levels of which a message was delivered. */
  get levels(): IterableIterator<number> {
    return this.#offsets.keys()
  }

  /** Queue offset of the next message of a level to deliver. */
  get(level: number): number {
    return this.#offsets.get(level) ?? 0
  }

  put(level: number, queueOffset: number): void {
    this.#offsets.set(level, queueOffset)
    this.#deliveries++
    if (this.#deliveries % VERSION_STEP === 0) {
      this.#version = nextDataVersion(this.#version, this.#clock.nowMs())
    }
  }

  /** Becomes the table of the master as a whole. */
  follow(json: unknown): void {
    this.#offsets.clear()
    this.load(json)
  }

  /** Takes over what `toJson` gave, or Apache wrote, in an earlier life. */
  load(value: unknown): void {
    if (value === undefined) return
    const json = asObject(value)
    for (const [level, offset] of Object.entries(asObject(json['offsetTable']))) {
      this.#offsets.set(Number(level), asNumber(offset))
    }
    this.#version = dataVersionOf(json['dataVersion'])
    const { logOffset } = json
    this.#saved = {
      hasFile: true,
      logOffset: typeof logOffset === 'number' ? logOffset : undefined,
    }
  }

  /** The table, with the end of the log at this moment for the file. */
  toJson(logOffset?: number): unknown {
    const offsetTable = Object.fromEntries(this.#offsets)
    return { dataVersion: this.#version, offsetTable, logOffset }
  }
}
