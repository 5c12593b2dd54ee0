/**
 * What a seed chooses before a store is opened: how it is configured and on what a disk. Pure.
 */
import type { KeyIndexConfig, RetentionConfig, StoreConfig } from '@rockhopper/store'
import type { NameFate } from './directory.ts'
import type { SimDiskOptions } from './disk.ts'
import type { SimRandom } from './random.ts'
import { STORE_TOPICS } from './store-messages.ts'

/** Where simulated stores are. */
export const STORE_ROOT = '/store'
const KIB = 1024
const SMALL_VOLUME_BYTES = 64 * 2 ** 20
const LARGE_VOLUME_BYTES = 100 * 2 ** 30
const UNIT_BYTES = 20
/** More than one life has. */
const MANY = 100_000

export interface StoreSetting {
  readonly config: StoreConfig
  readonly disk: Pick<SimDiskOptions, 'shortCallChance' | 'tornCallChance'>
  readonly topics: readonly string[]
  readonly queueCount: number
  readonly largestBodyBytes: number
  /** How many times the store is opened, worked with and ended. */
  readonly rounds: number
  /** Whether calls of the disk meet errors. */
  readonly hasErrors: boolean
  /** Whether the volume is full at times. */
  readonly hasFullDisk: boolean
  /** Of the volume while it is not full. */
  readonly capacityBytes: number
  /** What a loss of power does to names that were not synced. */
  readonly nameFate: NameFate
}

/** What the caller fixes; the seed chooses the rest. */
export interface SettingChoice {
  readonly flushDisk?: 'sync' | 'async'
  readonly errors?: boolean
  /** How many rounds; 2 or 3 when absent. */
  readonly rounds?: number
}

export function chooseSetting(random: SimRandom, choice: SettingChoice = {}): StoreSetting {
  const commitLogSegmentBytes = [8, 16, 16, 32, 64][random.below(5)] ?? 16
  const segmentBytes = commitLogSegmentBytes * KIB
  const topics = STORE_TOPICS.slice(0, 1 + random.below(STORE_TOPICS.length))
  const flushDisk = random.chance(0.5) ? 'sync' : 'async'
  const hasErrors = random.chance(0.3)
  const hasFullDisk = random.chance(0.2)
  return {
    config: {
      rootDirectory: STORE_ROOT,
      commitLogSegmentBytes: segmentBytes,
      consumeQueueSegmentBytes: ([5, 10, 25, 100][random.below(4)] ?? 10) * UNIT_BYTES,
      flushDisk: choice.flushDisk ?? flushDisk,
      flushIntervalMs: [10, 100, 500][random.below(3)] ?? 500,
      syncFlushTimeoutMs: 5_000,
      maxMessageBytes: 8 * KIB,
      tailMemoryBytes: random.chance(0.5) ? segmentBytes : 64 * KIB,
      ...(random.chance(0.4) ? { keyIndex: keyIndexOf(random) } : {}),
      ...(random.chance(0.25) ? { retention: anyRetention(random) } : {}),
    },
    disk: {
      shortCallChance: [0, 0, 0.02, 0.3][random.below(4)] ?? 0,
      tornCallChance: 0.5,
    },
    topics,
    queueCount: 1 + random.below(3),
    largestBodyBytes: Math.min(8 * KIB, segmentBytes / 2),
    rounds: choice.rounds ?? 2 + random.below(2),
    hasErrors: choice.errors ?? hasErrors,
    hasFullDisk,
    // A volume is not full from one moment to the next if there was room for much more.
    capacityBytes: hasFullDisk ? SMALL_VOLUME_BYTES : LARGE_VOLUME_BYTES,
    nameFate: 'random',
  }
}

/** A store with several small files of each kind, to be damaged. */
export function smallSetting(): StoreSetting {
  return {
    config: {
      rootDirectory: STORE_ROOT,
      commitLogSegmentBytes: 16 * KIB,
      consumeQueueSegmentBytes: 20 * UNIT_BYTES,
      flushDisk: 'async',
      flushIntervalMs: 500,
      syncFlushTimeoutMs: 5_000,
      maxMessageBytes: 8 * KIB,
      tailMemoryBytes: 64 * KIB,
      keyIndex: { enabled: true, slotCount: 20, entryLimit: 80, maxMessages: MANY },
    },
    disk: {},
    topics: STORE_TOPICS.slice(0, 2),
    queueCount: 2,
    largestBodyBytes: 1_500,
    rounds: 1,
    hasErrors: false,
    hasFullDisk: false,
    capacityBytes: LARGE_VOLUME_BYTES,
    nameFate: 'random',
  }
}

/** Files of the index are full after a few dozen messages, and have few slots. */
function keyIndexOf(random: SimRandom): KeyIndexConfig {
  const entryLimit = 10 + random.below(90)
  return { enabled: true, slotCount: 3 + random.below(40), entryLimit, maxMessages: MANY }
}

/** Files expire within the seconds that a life takes. */
function anyRetention(random: SimRandom): RetentionConfig {
  return {
    ...retentionOf({
      reservedMs: 200 + random.below(3_000),
      periodMs: 100 + random.below(300),
    }),
    maxFilesPerRun: 1 + random.below(5),
    logPauseMs: random.below(20),
    queuePauseMs: random.below(20),
  }
}

/** What is older is removed at any hour. */
export function retentionOf(
  times: Pick<RetentionConfig, 'reservedMs' | 'periodMs'>,
): RetentionConfig {
  return {
    ...times,
    deleteHours: Array.from({ length: 24 }, (_, hour) => hour),
    cleanAbovePercent: 75,
    forceAbovePercent: 85,
    refuseAbovePercent: 90,
    mayForce: true,
    maxFilesPerRun: 5,
    logPauseMs: 0,
    queuePauseMs: 0,
  }
}

/** The setting as a sentence of the story. */
export function settingSentence(setting: StoreSetting): string {
  const { config, disk, queueCount, rounds, topics } = setting
  const parts = [
    `${config.flushDisk} flush`,
    `${topics.length} topics of ${queueCount} queues`,
    `segments of ${config.commitLogSegmentBytes / KIB} KiB and ` +
      `${config.consumeQueueSegmentBytes / UNIT_BYTES} units`,
    `${rounds} rounds`,
  ]
  if (disk.shortCallChance !== 0) parts.push(`${disk.shortCallChance} of the calls are short`)
  if (config.keyIndex !== undefined) parts.push(`${config.keyIndex.entryLimit} keys in a file`)
  if (config.retention !== undefined) parts.push(`kept for ${config.retention.reservedMs} ms`)
  return parts.join(', ')
}
