/**
 * A consumer group of one: reads all queues while they grow, holds what it gets against the books,
 * commits how far it came, and after each restart of the broker asks what is left of that. Owns how
 * far the group is on each queue.
 */
import { type Clock, pause } from '@rockhopper/host'
import {
  QUERY_CONSUMER_OFFSET,
  responseCode,
  type StoredRecord,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { ConnectionError, TimeoutError } from '@rockhopper/remoting'
import type { Books } from './books.ts'
import { type Bounds, boundsOf, type PullOptions, pull } from './queue-pulls.ts'

const TIMEOUT_MS = 30_000
/** So often it looks for new messages. */
const PAUSE_MS = 40
/** So many messages of each queue are read again after a restart, though the group has had them. */
const READ_AGAIN = 2_000
/**
 * A broker that answers so much later has not worked meanwhile: its machine had others to serve, and
 * what it does in time waited, too.
 */
const LONGEST_STEP_MS = 250
/** Older commits than the oldest that may be lost are of no interest. */
const KEPT_COMMITS = 512

/** What is wrong with the offsets of the group after restarts; both should be 0. */
export interface OffsetFlaws {
  /** Offsets beyond what the group had consumed. */
  ahead: number
  /** Offsets older than a save interval before the kill. */
  behind: number
}

export interface GroupReaderOptions extends PullOptions {
  readonly clock: Clock
  readonly books: Books
  readonly queueCount: number
  /** A commit that was answered so long before a kill, in time the broker worked, must survive it. */
  readonly saveWithinMs: number
}

interface Commit {
  readonly atMs: number
  readonly offset: number
}

interface Place {
  nextOffset: number
  /** The highest offset that was ever committed, answered or not. */
  highestCommit: number
  /** Answered commits, oldest first. */
  commits: Commit[]
  /** Where the newest message that was read lies in the log. */
  readLogOffset: number
  /** When the broker was killed that got them; undefined while it lives. */
  killedAtMs: number | undefined
}

export class GroupReader {
  readonly flaws: OffsetFlaws = { ahead: 0, behind: 0 }
  /** How far the surviving offsets went back, in ms of commits, at the most. */
  longestSetbackMs = 0
  readonly #options: GroupReaderOptions
  readonly #places: readonly Place[]
  #stopping = new AbortController()
  #loops: Promise<void>[] = []

  constructor(options: GroupReaderOptions) {
    this.#options = options
    this.#places = Array.from({ length: options.queueCount }, () => {
      return {
        nextOffset: 0,
        highestCommit: 0,
        commits: [],
        readLogOffset: 0,
        killedAtMs: undefined,
      }
    })
  }

  /** Begins to read, at what the broker has kept of the group's offsets. */
  async resume(): Promise<void> {
    this.#stopping = new AbortController()
    for (const [queueId, place] of this.#places.entries()) await this.#takeUp(queueId, place)
    this.#loops = this.#places.map((place, queueId) => this.#follow(queueId, place))
  }

  /** All messages that lie before this offset of the log were read. */
  get readLogOffset(): number {
    return Math.min(...this.#places.map(({ readLogOffset }) => readLogOffset))
  }

  /** The broker was killed: what it has kept of the offsets is judged when reading is resumed. */
  noteKilled(): void {
    const nowMs = this.#options.clock.monotonicMs()
    for (const place of this.#places) place.killedAtMs ??= nowMs
  }

  /** Whether a broker that is killed now must know an offset of each queue that was committed to it. */
  get hasSafeCommits(): boolean {
    const nowMs = this.#options.clock.monotonicMs()
    return this.#places.every(({ commits }) => this.#safeOf(commits, nowMs) !== undefined)
  }

  /** Ends reading; harmless when it has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#loops)
    this.#loops = []
  }

  /** Where the queues begin and end. */
  bounds(): Promise<readonly Bounds[]> {
    return Promise.all(this.#places.map((_, queueId) => boundsOf(this.#options, queueId)))
  }

  /** Reads all queues to their end, from their beginning or from given offsets, and counts. */
  async census(from: readonly number[] = []): Promise<void> {
    const { books } = this.#options
    books.beginCensus()
    await Promise.all(this.#places.map((_, queueId) => this.#count(queueId, from[queueId] ?? 0)))
    books.countCopies()
  }

  async #takeUp(queueId: number, place: Place): Promise<void> {
    const { minOffset } = await boundsOf(this.#options, queueId)
    const offset = await this.#committed(queueId)
    const { killedAtMs } = place
    if (killedAtMs !== undefined) this.#judge(place, offset ?? 0, killedAtMs)
    place.killedAtMs = undefined
    place.commits = []
    place.highestCommit = offset ?? 0
    place.nextOffset = Math.max(minOffset, (offset ?? 0) - READ_AGAIN)
  }

  #judge({ commits, highestCommit }: Place, offset: number, killedAtMs: number): void {
    if (offset > highestCommit) this.flaws.ahead++
    const safe = this.#safeOf(commits, killedAtMs)
    if (safe !== undefined && offset < safe.offset) this.flaws.behind++
    const firstGone = commits.find((commit) => commit.offset > offset)
    if (firstGone === undefined) return
    this.longestSetbackMs = Math.max(this.longestSetbackMs, killedAtMs - firstGone.atMs)
  }

  /** The newest commit after which the broker has worked long enough to save it. */
  #safeOf(commits: readonly Commit[], killedAtMs: number): Commit | undefined {
    let workedMs = 0
    let nextMs = killedAtMs
    return commits.findLast(({ atMs }) => {
      workedMs += Math.min(nextMs - atMs, LONGEST_STEP_MS)
      nextMs = atMs
      return workedMs > this.#options.saveWithinMs
    })
  }

  async #follow(queueId: number, place: Place): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        const isAtEnd = await this.#step(queueId, place)
        if (isAtEnd) await pause(this.#options.clock, PAUSE_MS, signal)
      } catch (error) {
        // The broker was killed; who did it ends this loop and begins the next.
        if (!(error instanceof ConnectionError || error instanceof TimeoutError)) throw error
        await pause(this.#options.clock, PAUSE_MS, signal)
      }
    }
  }

  /** Reads what is there, commits it, and says whether there was no more. */
  async #step(queueId: number, place: Place): Promise<boolean> {
    const pulled = await pull(this.#options, queueId, place.nextOffset)
    if (this.#stopping.signal.aborted || pulled.kind === 'nothing') return true
    if (pulled.kind === 'moved') {
      place.nextOffset = pulled.nextOffset
      return true
    }
    await this.#skipRemoved(queueId, place, pulled.records[0])
    for (const record of pulled.records) {
      this.#options.books.noteRead(queueId, place.nextOffset, record)
      place.nextOffset++
      place.readLogOffset = Math.max(place.readLogOffset, record.logOffset)
    }
    await this.#commit(queueId, place)
    return place.nextOffset >= pulled.maxOffset
  }

  /** What was removed for its age just now is no hole. */
  async #skipRemoved(
    queueId: number,
    place: Place,
    first: StoredRecord | undefined,
  ): Promise<void> {
    if (first === undefined || first.queueOffset <= place.nextOffset) return
    const { minOffset } = await boundsOf(this.#options, queueId)
    if (minOffset > place.nextOffset) place.nextOffset = first.queueOffset
  }

  async #commit(queueId: number, place: Place): Promise<void> {
    const { address, clock, group, remoting, topic } = this.#options
    const offset = place.nextOffset
    if (offset <= place.highestCommit) return
    place.highestCommit = offset
    const header = { consumerGroup: group, topic, queueId, commitOffset: offset }
    await remoting.request(address, UPDATE_CONSUMER_OFFSET, header, { timeoutMs: TIMEOUT_MS })
    place.commits.push({ atMs: clock.monotonicMs(), offset })
    if (place.commits.length > 2 * KEPT_COMMITS) place.commits.splice(0, KEPT_COMMITS)
  }

  /** Undefined when the broker knows no offset of the group. */
  async #committed(queueId: number): Promise<number | undefined> {
    const { address, group, remoting, topic } = this.#options
    const header = { consumerGroup: group, topic, queueId, setZeroIfNotFound: false }
    const answer = await remoting.call(address, QUERY_CONSUMER_OFFSET, header, {
      timeoutMs: TIMEOUT_MS,
    })
    return answer.code === responseCode.SUCCESS ? answer.header().offset : undefined
  }

  async #count(queueId: number, from: number): Promise<void> {
    const { books } = this.#options
    const { maxOffset, minOffset } = await boundsOf(this.#options, queueId)
    const first = Math.max(minOffset, Math.min(from, maxOffset))
    let offset = first
    while (offset < maxOffset) {
      const pulled = await pull(this.#options, queueId, offset)
      if (pulled.kind !== 'messages') throw new Error(`queue ${queueId} ends before ${maxOffset}`)
      for (const record of pulled.records) books.noteRead(queueId, offset++, record)
    }
    books.endCensus(queueId, first, maxOffset)
  }
}
