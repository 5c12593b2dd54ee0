/**
 * Keeps the tables of a slave equal to its master's, and knows whether the master is there. Owns the
 * connection to the master, which of its states was taken over, and who waits for it to come.
 *
 * The tables change together in one turn, or not at all, and are saved before the next round. How
 * far delayed messages are delivered is taken over when the log of the slave has their copies: a slave
 * that becomes the master would else never deliver what only the lost master had delivered.
 * Source: Apache class SlaveSynchronize; `replication.md` section 6, 4.9's times.
 */
import { every, type Host, type Loop } from '@rockhopper/host'
import { RemotingClient, TimeoutError } from '@rockhopper/remoting'
import { type Store, writeJsonFile } from '@rockhopper/store'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { MasterAddress } from '../tables/master-address.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'
import { isAnswered, type MasterTables, tablesOfMaster } from './master-tables.ts'
import type { PeriodicallySavedTable, SavedTable } from './table-files.ts'

/** How often it is looked whether the master is there. */
const TICK_MS = 3_000

/** How often the tables are asked for. */
const SYNC_MS = 10_000

/** How long copies of delayed messages are waited for. */
const LOG_WAIT_MS = 3_000

export interface SlaveSyncParts {
  readonly host: Host
  /** Of this slave, `host:port`. */
  readonly ownAddress: string
  readonly master: MasterAddress
  readonly store: Store
  readonly topics: TopicTable
  readonly groups: GroupTable
  readonly offsets: OffsetTable
  readonly delayOffsets: DelayOffsetTable
  readonly savedTopics: SavedTable
  readonly savedGroups: SavedTable
  readonly savedOffsets: PeriodicallySavedTable
  readonly delayOffsetPath: string
}

export class SlaveSync {
  /** Told when the master comes: who reads here because it was gone. */
  readonly #waiting = new Set<() => void>()
  readonly #parts: SlaveSyncParts
  readonly #client: RemotingClient
  readonly #stopping = new AbortController()
  #loop: Loop | undefined
  #syncedMs: number | undefined
  #offsetBytes: Buffer | undefined
  #isFailing = false

  constructor(parts: SlaveSyncParts) {
    this.#parts = parts
    this.#client = new RemotingClient(parts.host)
  }

  start(): void {
    const { clock } = this.#parts.host
    const noteFailure = (error: unknown): void => this.#noteFailure(error)
    this.#loop = every(clock, TICK_MS, () => this.#tick(), noteFailure, 0)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#client.close()
    await this.#loop?.stop()
  }

  /** Whether the master takes requests, as far as this slave can tell at this moment. */
  get isMasterThere(): boolean {
    const address = this.#address()
    return address !== undefined && this.#client.isConnected(address)
  }

  /** Calls `wake` when the master comes; the result ends that. */
  onMaster(wake: () => void): () => void {
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }

  /** Undefined while there is no master, or this broker is told to be its own. */
  #address(): string | undefined {
    const { master, ownAddress } = this.#parts
    const address = master.place?.address
    return address === ownAddress ? undefined : address
  }

  async #tick(): Promise<void> {
    const address = this.#address()
    if (address === undefined) return
    const wasThere = this.#client.isConnected(address)
    await this.#client.connect(address)
    if (!wasThere) for (const wake of [...this.#waiting]) wake()
    if (wasThere && !this.#isDue()) return
    const ownEnd = this.#parts.store.runtime().appendedOffset
    try {
      const tables = await tablesOfMaster(this.#client, address)
      if (this.#stopping.signal.aborted) return
      const { logOffset } = tables
      if (logOffset !== undefined && logOffset < ownEnd) throw behindUs(address, logOffset, ownEnd)
      await this.#takeOver(tables)
    } catch (error) {
      // A master that does not answer is not there, whatever its connection looks like.
      if (error instanceof TimeoutError) this.#client.disconnect(address, error.message)
      throw error
    }
  }

  /** Messages of a topic that is not known here could not be read. */
  #isDue(): boolean {
    const { host, store, topics } = this.#parts
    const dueMs = (this.#syncedMs ?? Number.NEGATIVE_INFINITY) + SYNC_MS
    if (host.clock.monotonicMs() >= dueMs) return true
    return store.topics().some((topic) => topics.get(topic) === undefined)
  }

  async #takeOver(tables: MasterTables): Promise<void> {
    const { host, savedGroups, savedOffsets, savedTopics } = this.#parts
    this.#syncedMs = host.clock.monotonicMs()
    this.#apply(tables)
    await savedTopics.upToDate()
    await savedGroups.upToDate()
    await savedOffsets.save()
    await this.#followDelays(tables)
    if (!this.#isFailing) return
    this.#isFailing = false
    const master = this.#address()
    host.logger.info('This slave follows the tables of its master again.', { master })
  }

  /** One turn: nobody sees some tables of now beside others of before. */
  #apply({ groups, offsetBytes, offsets, topics }: MasterTables): void {
    this.#parts.topics.follow(topics)
    this.#parts.groups.follow(groups)
    if (this.#offsetBytes?.equals(offsetBytes) === true) return
    this.#parts.offsets.follow(offsets)
    this.#offsetBytes = offsetBytes
  }

  async #followDelays({ delayOffsets: told, logOffset }: MasterTables): Promise<void> {
    const { delayOffsetPath, delayOffsets, host, store } = this.#parts
    const wait = { timeoutMs: LOG_WAIT_MS, signal: this.#stopping.signal }
    if (logOffset !== undefined && !(await store.marks.flushed.reached(logOffset, wait))) return
    delayOffsets.follow(told)
    await writeJsonFile(host.disk, delayOffsetPath, delayOffsets.toJson(logOffset))
  }

  #noteFailure(error: unknown): void {
    if (this.#isFailing || this.#stopping.signal.aborted) return
    this.#isFailing = true
    const master = this.#address()
    const sentence = isAnswered(error)
      ? 'The tables of the master are not taken over: this slave keeps those it has.'
      : 'The master is gone: this slave keeps the tables it has, and looks for it every 3 seconds.'
    this.#parts.host.logger.warn(sentence, { master, error })
  }
}

/** A master that lost its disk must not take away what its slave knows of its messages. */
function behindUs(address: string, masterEnd: number, ownEnd: number): SyntaxError {
  return new SyntaxError(
    `the log of the master at ${address} ends at ${masterEnd}, and that of this slave at ${ownEnd}: ` +
      'the master lost messages. If it lost its disk, give it a copy of this store, or make this ' +
      'slave the master; empty this store only if its messages are not wanted any more',
  )
}
