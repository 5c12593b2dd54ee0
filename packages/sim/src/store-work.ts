/**
 * What an application does with an open store until it ends: appends, reads, waits, deletions and
 * checkpoints in any order, while the disk may misbehave. Owns nothing of the store; it tells the
 * model what was accepted and acknowledged, and checks every answer against it.
 */
import { DiskError, type Host } from '@rockhopper/host'
import type { ReadOutcome, ReadRequest, Rejected, Store } from '@rockhopper/store'
import type { DiskFault, DiskOperation } from './disk-faults.ts'
import type { MessageMaker } from './store-messages.ts'
import { currentOf, type Place } from './store-model.ts'
import type { StoreStage } from './store-stage.ts'
import { describeRecord, keptOf, queueOffsetOf, recordsOf } from './store-survey.ts'

/** Calls that meet errors, and of which files: a sync of the log most of the time. */
const FAILING: readonly (readonly [DiskOperation, string])[] = [
  ['sync', 'commitlog'],
  ['sync', 'commitlog'],
  ['sync', 'commitlog'],
  ['sync', '/'],
  ['sync', 'consumequeue'],
  ['sync', 'logsums'],
  ['sync', 'checkpoint'],
  ['write', 'commitlog'],
  ['write', '/'],
  ['read', '/'],
  ['open', '/'],
  ['setLength', '/'],
  ['syncDirectory', '/'],
]
const MAX_CALLS_BEFORE_ERROR = 4

/** What can be done in one step, and how often it is among a hundred or so. */
const WEIGHTS: Readonly<Record<string, number>> = {
  append: 45,
  batch: 6,
  moment: 22,
  pause: 3,
  read: 12,
  checkpoint: 3,
  deletion: 2,
  slowness: 2,
  error: 4,
  fullness: 2,
}
const STEPS = Object.entries(WEIGHTS).flatMap(([kind, weight]) =>
  Array.from({ length: weight }, () => kind),
)

export class StoreWork {
  readonly #stage: StoreStage
  readonly #store: Store
  readonly #maker: MessageMaker
  /** Those of the process that opened the store: it is dead when the host has others. */
  readonly #doors: Host
  /** How often a store was opened by then: it is closed when another one was. */
  readonly #opened: number
  #hasFailed = false
  #wasFull = false
  /** By then the store knows that a sync of the log has failed: it accepts nothing any more. */
  #syncFailedByMs = Number.POSITIVE_INFINITY

  constructor(stage: StoreStage, store: Store, maker: MessageMaker) {
    this.#stage = stage
    this.#store = store
    this.#maker = maker
    this.#doors = stage.host.doors
    this.#opened = stage.counts.opened
    void store.failed.then(() => {
      this.#hasFailed = true
    })
  }

  /** Takes so many steps, or fewer if the process dies in one of them. */
  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps && this.#isAlive; i++) {
      try {
        await this.#step(STEPS[this.#stage.random.below(STEPS.length)] ?? 'append')
        if (this.#isAlive) this.#look()
      } catch (error) {
        this.#judgeFailure('a call', error)
      }
    }
  }

  get #isAlive(): boolean {
    const { counts, host } = this.#stage
    return host.running && host.doors === this.#doors && counts.opened === this.#opened
  }

  async #step(kind: string): Promise<void> {
    const { random, setting, world } = this.#stage
    switch (kind) {
      case 'append':
        return this.#append()
      case 'batch':
        return this.#batch()
      case 'moment':
        return world.clock.advance(random.between(0, 2))
      case 'pause':
        return world.clock.advance([20, 300, 600, 1_100, 11_000][random.below(5)] ?? 20)
      case 'read':
        return this.#read()
      case 'checkpoint':
        return this.#ignore(this.#store.checkpoint())
      case 'deletion':
        return this.#delete()
      case 'slowness':
        return this.#slowDown()
      case 'error':
        return setting.hasErrors ? this.#armError() : undefined
      default:
        return setting.hasFullDisk ? this.#fill() : undefined
    }
  }

  #append(): void {
    const { model, world } = this.#stage
    const message = this.#maker.message(world.clock.nowMs())
    const outcome = this.#store.append(message)
    if (!this.#isAlive) return
    if (outcome.kind !== 'appended') return this.#judgeRefusal(outcome)
    const next = model.nextOffset(message.topic, message.queueId)
    const kept = model.appended(message, outcome)
    this.#judgePlace(outcome, kept.isQueued ? next : 0, kept.endOffset, outcome.endOffset)
    this.#expectWord(kept.endOffset)
  }

  #batch(): void {
    const { model, world } = this.#stage
    const { common, entries } = this.#maker.batch(world.clock.nowMs())
    const outcome = this.#store.appendBatch(common, entries)
    if (!this.#isAlive) return
    if (outcome.kind !== 'appended') return this.#judgeRefusal(outcome)
    for (const [i, entry] of entries.entries()) {
      const message = { ...common, ...entry }
      const next = model.nextOffset(message.topic, message.queueId)
      const isQueued = message.sysFlag === 0
      const place = {
        logOffset: outcome.logOffsets[i] ?? -1,
        queueOffset: isQueued ? outcome.queueOffset + i : 0,
        storeTimestamp: outcome.storeTimestamp,
      }
      const kept = model.appended(message, place)
      const end = outcome.logOffsets[i + 1] ?? outcome.endOffset
      this.#judgePlace(place, isQueued ? next : 0, kept.endOffset, end)
    }
    this.#expectWord(outcome.endOffset)
  }

  /** A place must follow that of the message before, in the log and in the queue. */
  #judgePlace(place: Place, queueOffset: number, ownEnd: number, saidEnd: number): void {
    const { counts, model, setting } = this.#stage
    counts.appended += 1
    if (place.queueOffset !== queueOffset || ownEnd !== saidEnd) {
      this.#stage.broke(
        'each message gets the next place',
        `a message got queue offset ${place.queueOffset} instead of ${queueOffset}, and ends ` +
          `at ${saidEnd} instead of ${ownEnd}`,
      )
    }
    const before = model.messages.at(-2)?.endOffset ?? 0
    const { commitLogSegmentBytes: segment } = setting.config
    const follows = place.logOffset === before
    const begins = place.logOffset % segment === 0 && place.logOffset - before < segment
    if (follows || (begins && place.logOffset > before)) return
    this.#stage.broke(
      'each message gets the next place',
      `a message got log offset ${place.logOffset} behind one that ends at ${before}`,
    )
  }

  #judgeRefusal({ kind, reason }: Rejected): void {
    const { host } = this.#stage
    const mayRefuse = kind === 'not-writable' && (host.disk.metFaults.length > 0 || this.#wasFull)
    if (mayRefuse) return
    this.#stage.broke('a message is refused only for its disk', `${kind}: ${reason}`)
  }

  /** Waits for the acknowledgement, and holds the store to it. */
  #expectWord(endOffset: number): void {
    const { random, setting } = this.#stage
    this.#judgeAcceptance()
    const waitForFlush = random.chance(0.9)
    const level = setting.config.flushDisk === 'sync' && waitForFlush ? 'flushed' : 'written'
    const settled = this.#store.settled(endOffset, { waitForFlush })
    void Promise.resolve(settled).then((outcome) => {
      if (!this.#isAlive) return
      if (outcome === 'ok') this.#takeWord(endOffset, level)
      else if (outcome === 'failed' && !this.#hasMetFault) {
        this.#stage.broke('a message is refused only for its disk', 'it failed for no reason')
      }
    })
  }

  get #hasMetFault(): boolean {
    return this.#stage.host.disk.metFaults.length > 0 || this.#wasFull
  }

  #takeWord(endOffset: number, level: 'written' | 'flushed'): void {
    this.#stage.counts.acknowledged += 1
    this.#stage.model.gaveWord(endOffset, level)
    const mark = this.#store.marks[level].value
    if (mark >= endOffset) return
    this.#stage.broke(
      'only what is safe is acknowledged',
      `what ends at ${endOffset} is acknowledged, but ${level} only up to ${mark}`,
    )
  }

  #judgeAcceptance(): void {
    const nowMs = this.#stage.world.clock.monotonicMs()
    if (!this.#hasFailed && nowMs <= this.#syncFailedByMs) return
    this.#stage.broke(
      'a store whose disk failed takes nothing more',
      `a message was accepted ${this.#hasFailed ? 'after the store said that it failed' : 'though a sync of the log failed'}`,
    )
  }

  #look(): void {
    const { host, model, setting, world } = this.#stage
    if (setting.config.retention !== undefined) model.beganAt(this.#store.runtime().minOffset)
    const failed = host.disk.metFaults.some(
      ({ operation, path }) => operation === 'sync' && path.includes('/commitlog/'),
    )
    if (!failed || this.#syncFailedByMs < Number.POSITIVE_INFINITY) return
    const [, mostMs] = host.disk.syncDelay
    this.#syncFailedByMs = world.clock.monotonicMs() + mostMs
  }

  #read(): void {
    const { random, setting } = this.#stage
    const topic = setting.topics[random.below(setting.topics.length)] ?? ''
    const queueId = random.below(setting.queueCount)
    const { maxOffset } = this.#store.queueBounds(topic, queueId)
    const offset = Math.max(0, random.below(maxOffset + 3) - 1)
    const request = { topic, queueId, offset, maxMessages: 1 + random.below(32), maxBytes: 20_000 }
    const begun = this.#store.read(request)
    if (!(begun instanceof Promise)) return this.#judgeRead(request, begun)
    begun
      .then((outcome) => this.#judgeRead(request, outcome))
      .catch((error: unknown) => this.#judgeFailure('a read', error))
  }

  /** Everything shown is a message of this queue, in its place, and safe as it was promised. */
  #judgeRead(request: ReadRequest, outcome: ReadOutcome): void {
    if (!this.#isAlive) return
    const { counts, model, setting } = this.#stage
    const confirmed = this.#store.marks.confirmed.value
    const [first] = recordsOf(outcome.slices)
    const offset = first === undefined ? 0 : this.#firstOffset(request, first)
    for (const [i, record] of recordsOf(outcome.slices).entries()) {
      counts.read += 1
      const kept = keptOf(model, record)
      const isRight =
        kept?.topic === request.topic &&
        kept.queueId === request.queueId &&
        kept.isQueued &&
        queueOffsetOf(record) === offset + i
      if (!isRight) {
        const sentence =
          `a read of queue ${request.queueId} of "${request.topic}" gave at ${offset + i} ` +
          `${describeRecord(record)}, which was not stored there`
        return this.#stage.broke('a message is what was stored, byte for byte', sentence)
      }
      if (kept.endOffset > confirmed) {
        this.#stage.broke(
          'only what is confirmed is visible',
          `what ends at ${kept.endOffset} was read, but is confirmed up to ${confirmed}`,
        )
      }
      model.gaveWord(kept.endOffset, setting.config.flushDisk === 'sync' ? 'flushed' : 'written')
    }
  }

  /** Where the answer to a read must begin: later than it asked if what was there has expired. */
  #firstOffset({ offset, queueId, topic }: ReadRequest, first: Buffer): number {
    const { messages } = currentOf(this.#stage.model.queue(topic, queueId))
    const before = messages.find((each) => each.queueOffset === queueOffsetOf(first) - 1)
    const hasExpired = before !== undefined && before.logOffset < this.#store.runtime().minOffset
    return hasExpired ? Math.max(offset, queueOffsetOf(first)) : offset
  }

  #judgeFailure(what: string, error: unknown): void {
    if (!this.#isAlive) return
    if (error instanceof DiskError && this.#hasMetFault) return
    this.#stage.broke('a call fails only for its disk', `${what} failed: ${String(error)}`)
  }

  #delete(): void {
    const { model, random, setting } = this.#stage
    const topic = setting.topics[random.below(setting.topics.length)] ?? ''
    this.#stage.tell(`topic "${topic}" is deleted`)
    const finish = model.deleteTopic(topic)
    // What the disk refuses within the call itself counts as what it refuses later.
    const deletion = new Promise<void>((resolve) => resolve(this.#store.deleteTopic(topic)))
    deletion.then(
      () => {
        if (this.#isAlive) finish()
      },
      (error: unknown) => this.#judgeFailure('a deletion', error),
    )
  }

  #ignore(call: Promise<unknown>): void {
    call.catch((error: unknown) => this.#judgeFailure('a checkpoint', error))
  }

  #slowDown(): void {
    const { host, random } = this.#stage
    const mostMs = [0.5, 10, 200, 2_000][random.below(4)] ?? 0.5
    this.#stage.tell(`calls of the disk take up to ${mostMs} ms`)
    host.disk.syncDelay = [0.2, mostMs]
    host.disk.readDelay = [0.05, mostMs / 10]
  }

  #armError(): void {
    const { host, random } = this.#stage
    const [operation, pathIncludes] = FAILING[random.below(FAILING.length)] ?? ['sync', '/']
    const fault: DiskFault = {
      operation,
      pathIncludes,
      onCall: 1 + random.below(MAX_CALLS_BEFORE_ERROR),
      code: 'EIO',
    }
    this.#stage.tell(
      `a ${fault.operation} of "${fault.pathIncludes}" is going to fail (number ${fault.onCall})`,
    )
    host.disk.fail(fault)
  }

  #fill(): void {
    const { host, random, setting } = this.#stage
    this.#wasFull = true
    const { freeBytes, totalBytes } = host.disk.volumeSpace('/')
    const usedBytes = totalBytes - freeBytes
    const isFull = totalBytes < setting.capacityBytes
    this.#stage.tell(isFull ? 'the volume has room again' : 'the volume is nearly full')
    host.disk.setCapacity(isFull ? setting.capacityBytes : usedBytes + random.below(5) * 4096)
  }
}
