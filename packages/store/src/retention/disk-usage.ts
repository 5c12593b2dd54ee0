/**
 * How full the volumes of a store are. Owns whether messages are refused for it: well before the
 * last byte is taken, so that tables and queues can still be saved, and until there is room again.
 */
import type { Disk, Logger } from '@rockhopper/host'
import type { Rejected } from '../outcome.ts'
import { acceptsAgainAt, type RetentionRules, refusesAt } from './retention-rules.ts'

/** A volume, by a folder on it. */
interface Volume {
  readonly directory: string
  readonly usedPercent: number
  readonly freeBytes: number
}

export class DiskUsage {
  readonly #disk: Disk
  readonly #logger: Logger
  readonly #rules: RetentionRules
  readonly #directories: readonly string[]
  #refusal: Rejected | undefined

  /** One folder on each volume that the store may fill. */
  constructor(disk: Disk, logger: Logger, rules: RetentionRules, directories: readonly string[]) {
    this.#disk = disk
    this.#logger = logger
    this.#rules = rules
    this.#directories = directories
  }

  /** What messages are refused with, as of the last look. */
  get refusal(): Rejected | undefined {
    return this.#refusal
  }

  /**
   * Looks at the volumes and decides whether messages are refused. Returns how much of the fullest
   * one is used, in percent. Throws `DiskError`.
   */
  look(): number {
    const volumes = this.#directories.map((directory) => this.#volumeOf(directory))
    const fullest = volumes.reduce((a, b) => (b.usedPercent > a.usedPercent ? b : a))
    const was = this.#refusal !== undefined
    const refused = refusesAt(this.#rules, fullest.usedPercent, was)
    this.#refusal = refused ? this.#refusalFor(fullest) : undefined
    if (refused !== was) this.#tell(refused, fullest)
    return fullest.usedPercent
  }

  /** As `df` and Apache's broker count it. A volume that cannot say its size has room. */
  #volumeOf(directory: string): Volume {
    const { freeBytes, totalBytes } = this.#disk.volumeSpace(directory)
    const used = totalBytes === 0 ? 0 : (totalBytes - freeBytes) / totalBytes
    return { directory, usedPercent: Math.ceil(used * 100), freeBytes }
  }

  #refusalFor({ directory, freeBytes, usedPercent }: Volume): Rejected {
    const { refuseAbovePercent } = this.#rules
    const reason =
      `The volume of "${directory}" is ${usedPercent} % used, more than ` +
      `diskSpaceWarningLevelRatio=${refuseAbovePercent} allows: ${freeBytes} bytes are free. Delete ` +
      `files or enlarge the volume; messages are accepted again by themselves when ` +
      `${acceptsAgainAt(this.#rules)} % or less are used.`
    return { kind: 'not-writable', reason }
  }

  #tell(refused: boolean, { directory, freeBytes, usedPercent }: Volume): void {
    const fields = { directory, freeBytes, usedPercent }
    if (refused) {
      this.#logger.error('Messages are refused, as the volume is nearly full: make room.', fields)
    } else {
      this.#logger.info('Messages are accepted again: the volume has room.', fields)
    }
  }
}
