/**
 * Single bits of a stopped store are flipped, one at a time, and the store is opened and read: what
 * it delivers must be what was stored, and where it cannot deliver it must say so. Owns the image
 * that is damaged and what was found.
 */
import {
  CorruptionError,
  openStore,
  readJsonFile,
  type Store,
  writeJsonFile,
} from '@rockhopper/store'
import { SimRandom } from './random.ts'
import type { Finding } from './run.ts'
import { putImage, type StoreImage, takeImage, withFile } from './store-image.ts'
import { keyOf, MessageMaker } from './store-messages.ts'
import { currentOf, endOf, type Kept, type StoreModel, visibleIn } from './store-model.ts'
import { retentionOf, STORE_ROOT, type StoreSetting, smallSetting } from './store-setting.ts'
import { StoreStage } from './store-stage.ts'
import { describeRecord, recordsOf } from './store-survey.ts'

/** What a flip can hit; each kind is hit equally often. */
export const FLIPPED = [
  'commitlog',
  'consumequeue',
  'index',
  'indexsums',
  'logsums',
  'checkpoint',
  'queueends',
  'config',
  'abort',
] as const
export type Flipped = (typeof FLIPPED)[number]

/** How the store was ended before; with `trim` it is closed when its oldest files are removed. */
export const FLIP_ENDINGS = ['close', 'kill', 'trim'] as const
export type FlipEnding = (typeof FLIP_ENDINGS)[number]

export interface FlipReport {
  readonly flips: number
  /** Flips after which nothing was missing. */
  readonly harmless: number
  /** Flips that the store told of, at its start or in a read. */
  readonly told: number
  readonly findings: readonly Finding[]
}

interface Bit {
  readonly kind: Flipped
  readonly path: string
  readonly at: number
  /** 0 to 7. */
  readonly bit: number
}

const TABLE_PATH = `${STORE_ROOT}/config/topics.json`
const TABLE_VERSION = 2
const MESSAGES = 150
const READ_TOGETHER = 32
const SINGLES = 3
/** Files of the log that are older are removed, where it is said. */
const KEPT_MS = 400
const TRIM_PERIOD_MS = 100
/** So many of the zeros behind what is used of a file may be hit, too. */
const ZEROS_TOO = 64
/** More findings of one flip are not kept. */
const MAX_FINDINGS = 3

/** A stopped store, and what it must hold. */
interface Stopped {
  readonly image: StoreImage
  readonly model: StoreModel
  /** Where its log begins. */
  readonly minOffset: number
}

/** What a flip came to. */
type Verdict = 'harmless' | 'told'

/**
 * Flips `count` bits of stores that were ended in one way, each in an image of its own; `only`
 * restricts them to one kind of file. The same seed flips the same bits.
 */
export async function flipBits(
  seed: number,
  count: number,
  ending: FlipEnding,
  only?: Flipped,
): Promise<FlipReport> {
  const random = new SimRandom(seed)
  const stopped = await makeStopped(seed, ending)
  const kinds = FLIPPED.filter((kind) => pathsOf(stopped.image, kind).length > 0)
  const findings: Finding[] = []
  const tally = { harmless: 0, told: 0 }
  for (let i = 0; i < count; i++) {
    const kind = only ?? kinds[i % kinds.length] ?? 'commitlog'
    const flip = new Flip(seed, stopped, chooseBit(stopped.image, kind, random))
    tally[await flip.judge()] += 1
    findings.push(...flip.findings)
  }
  return { flips: count, ...tally, findings }
}

/** A store with messages in several segments, queues and files of the index. */
async function makeStopped(seed: number, ending: FlipEnding): Promise<Stopped> {
  const stage = new StoreStage(seed, ending === 'trim' ? trimmedSetting : smallSetting)
  const { host, model, setting, world } = stage
  const { largestBodyBytes, queueCount, topics } = setting
  const maker = new MessageMaker(stage.random.fork(), topics, queueCount, largestBodyBytes)
  const { clock } = world
  const store = await clock.settle(openStore(host.doors, setting.config))
  for (let i = 0; i < MESSAGES; i++) {
    const message = maker.message(clock.nowMs())
    const outcome = store.append(message)
    if (outcome.kind !== 'appended') throw new Error(outcome.reason)
    model.appended(message, outcome)
    await clock.advance(stage.random.below(20))
    if (i === MESSAGES >> 1) await clock.settle(store.checkpoint())
  }
  for (let version = 1; version <= TABLE_VERSION; version++) {
    await clock.settle(writeJsonFile(host.disk, TABLE_PATH, tableOf(version)))
  }
  if (ending === 'kill') host.kill()
  else await clock.settle(store.close())
  host.disk.makeDurable()
  const [first] = host.disk.list(`${STORE_ROOT}/commitlog`)
  return { image: takeImage(host), model, minOffset: Number(first) }
}

/** Files of the log are removed soon after they are full. */
function trimmedSetting(): StoreSetting {
  const setting = smallSetting()
  const retention = retentionOf({ reservedMs: KEPT_MS, periodMs: TRIM_PERIOD_MS })
  return { ...setting, config: { ...setting.config, retention } }
}

function tableOf(version: number): unknown {
  return { topics: ['orders', 'bills'], version }
}

function pathsOf(image: StoreImage, kind: Flipped): string[] {
  const path = `${STORE_ROOT}/${kind}`
  return [...image.keys()].filter((each) => each === path || each.startsWith(`${path}/`))
}

/** Any bit of a file of that kind; of the zeros at its end only a few. */
function chooseBit(image: StoreImage, kind: Flipped, random: SimRandom): Bit {
  const paths = pathsOf(image, kind)
  const path = paths[random.below(paths.length)] ?? ''
  const bytes = image.get(path) ?? Buffer.alloc(0)
  const usedBytes = bytes.findLastIndex((byte) => byte !== 0) + 1
  const at = random.below(Math.min(bytes.length, usedBytes + ZEROS_TOO))
  return { kind, path, at, bit: random.below(8) }
}

function flipped(image: StoreImage, { at, bit, path }: Bit): StoreImage {
  const bytes = Buffer.from(image.get(path) ?? Buffer.alloc(0))
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
  return withFile(image, path, bytes)
}

/** One flip: the store that has it is opened and read. */
class Flip {
  readonly findings: Finding[] = []
  readonly #bit: Bit
  readonly #stage: StoreStage
  readonly #stopped: Stopped
  #isTold = false

  constructor(seed: number, stopped: Stopped, bit: Bit) {
    this.#bit = bit
    this.#stopped = stopped
    // The same seed: it is the same machine, which has not been started again meanwhile. It
    // removes nothing more.
    this.#stage = new StoreStage(seed, smallSetting)
    putImage(this.#stage.host, flipped(stopped.image, bit))
  }

  async judge(): Promise<Verdict> {
    const { clock } = this.#stage.world
    const { config } = this.#stage.setting
    try {
      const store = await clock.settle(openStore(this.#stage.host.doors, config))
      await clock.settle(this.#readEverything(store))
    } catch (error) {
      this.#judgeError(error)
    }
    this.#readTable()
    return this.#isTold ? 'told' : 'harmless'
  }

  /** Damage of the log is told; everything else is made anew from it. */
  #judgeError(error: unknown): void {
    this.#isTold = true
    if (!(error instanceof CorruptionError) || !error.path.startsWith(STORE_ROOT)) {
      this.#broke('damage is told as such, with file and offset', describeError(error))
    } else if (this.#bit.kind !== 'commitlog') {
      this.#broke('what is made from the log is made anew when it is damaged', error.message)
    }
  }

  async #readEverything(store: Store): Promise<void> {
    for (const queue of this.#stopped.model.queues()) {
      const { queueId, topic } = queue
      const expected = visibleIn(currentOf(queue), this.#stopped.minOffset)
      const first = expected[0]?.queueOffset ?? endOf(currentOf(queue))
      const end = endOf(currentOf(queue))
      const { maxOffset, minOffset } = store.queueBounds(topic, queueId)
      // While it is not known where a damaged queue begins, it may seem to begin earlier.
      if (minOffset > first || maxOffset !== end) {
        this.#broke(
          'nothing is lost without a word',
          `queue ${queueId} of "${topic}" goes from ${minOffset} to ${maxOffset} instead of ` +
            `${first} to ${end}`,
        )
      }
      await this.#readFiltered(store, topic, queueId, expected)
      await this.#readQueue(store, topic, queueId, expected)
    }
    await this.#readSingles(store)
  }

  async #readQueue(
    store: Store,
    topic: string,
    queueId: number,
    expected: readonly Kept[],
  ): Promise<void> {
    let maxMessages = READ_TOGETHER
    const first = expected[0]?.queueOffset ?? 0
    for (let offset = first; offset < first + expected.length; ) {
      const request = { topic, queueId, offset, maxMessages, maxBytes: 1 << 20 }
      let slices: readonly Buffer[]
      try {
        slices = (await store.read(request)).slices
      } catch (error) {
        this.#judgeError(error)
        // Of several messages the damaged one is found by reading them one by one.
        if (maxMessages === 1) offset += 1
        maxMessages = 1
        continue
      }
      const records = recordsOf(slices)
      if (records.length === 0) {
        const sentence = `a read of queue ${queueId} of "${topic}" at ${offset} gives nothing`
        return this.#broke('nothing is lost without a word', sentence)
      }
      for (const record of records) {
        this.#judgeRecord(record, expected[offset - first])
        offset += 1
      }
    }
  }

  /** Who takes messages of one tag only gets all of them, as far as none is damaged. */
  async #readFiltered(
    store: Store,
    topic: string,
    queueId: number,
    expected: readonly Kept[],
  ): Promise<void> {
    const { tagsCode = 0 } = expected[this.#stage.random.below(expected.length)] ?? {}
    const first = expected[0]?.queueOffset ?? 0
    const end = first + expected.length
    const wanted = expected.filter((each) => each.tagsCode === tagsCode)
    const got: Buffer[] = []
    const limits = { maxMessages: READ_TOGETHER, maxBytes: 1 << 20 }
    try {
      for (let offset = first; offset < end; ) {
        const request = { topic, queueId, offset, tagHashes: new Set([tagsCode]), ...limits }
        const { nextOffset, slices } = await store.read(request)
        got.push(...recordsOf(slices))
        if (nextOffset <= offset) break
        offset = nextOffset
      }
    } catch (error) {
      return this.#judgeError(error)
    }
    if (got.length === wanted.length && got.every((each, i) => wanted[i]?.bytes.equals(each)))
      return
    this.#broke(
      'a filter gives its messages and no others',
      `queue ${queueId} of "${topic}" gives ${got.length} of ${wanted.length} messages with the ` +
        `tag ${tagsCode}`,
    )
  }

  #judgeRecord(record: Buffer, kept: Kept | undefined): void {
    if (kept !== undefined && record.equals(kept.bytes)) return
    this.#broke(
      'what is delivered is what was stored',
      `${describeRecord(record)} is delivered instead of that of log offset ${kept?.logOffset} and ` +
        `queue offset ${kept?.queueOffset}`,
    )
  }

  /** Messages by their offsets and keys: the one that was hit, and some others. */
  async #readSingles(store: Store): Promise<void> {
    const { minOffset, model } = this.#stopped
    const messages = model.messages.filter(({ logOffset }) => logOffset >= minOffset)
    const hit = messages.filter((each) => this.#isHit(each))
    const others = Array.from({ length: SINGLES }, () => {
      return messages[this.#stage.random.below(messages.length)]
    })
    for (const kept of [...hit, ...others]) {
      if (kept === undefined) continue
      try {
        const record = await store.messageAt(kept.logOffset)
        if (record !== undefined) this.#judgeRecord(record, kept)
        else this.#broke('nothing is lost without a word', `no message is at ${kept.logOffset}`)
        await this.#findByKey(store, kept)
      } catch (error) {
        this.#judgeError(error)
      }
    }
  }

  #isHit({ endOffset, logOffset }: Kept): boolean {
    const { at, kind, path } = this.#bit
    const offset = Number(path.slice(path.lastIndexOf('/') + 1)) + at
    return kind === 'commitlog' && offset >= logOffset && offset < endOffset
  }

  async #findByKey(store: Store, { bytes, isQueued, logOffset, topic }: Kept): Promise<void> {
    const key = keyOf(bytes, false)
    const everything = { maxMessages: 1_000, beginTimestamp: 0, endTimestamp: 2 ** 45 }
    const { records } = await store.queryByKey(topic, key, everything)
    const isFound = records.length === 1 && records[0]?.equals(bytes) === true
    if (isFound || (!isQueued && records.length === 0)) return
    this.#broke(
      'nothing is lost without a word',
      `key "${key}" of "${topic}" finds ${records.map(describeRecord)} instead of the record at ` +
        `${logOffset}`,
    )
  }

  /** A table is the present or the former one, another one, or unreadable; a sound one is right. */
  #readTable(): void {
    try {
      const table = readJsonFile(this.#stage.host.disk, TABLE_PATH)
      const isRight = JSON.stringify(table) === JSON.stringify(tableOf(TABLE_VERSION))
      if (isRight || this.#bit.kind === 'config') return
      this.#broke('a sound table is read', `it is ${JSON.stringify(table)}`)
    } catch (error) {
      this.#isTold = true
      if (error instanceof CorruptionError && this.#bit.kind === 'config') return
      this.#broke('damage is told as such, with file and offset', describeError(error))
    }
  }

  #broke(rule: string, sentence: string): void {
    const { at, bit, path } = this.#bit
    if (this.findings.length >= MAX_FINDINGS) return
    this.findings.push({ rule, sentence: `bit ${bit} of byte ${at} of "${path}": ${sentence}` })
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
