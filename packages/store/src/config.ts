/**
 * What a store must be told at its opening. Apache's keys and defaults are in the broker's table;
 * the names in brackets are Apache's. Source: `store-runtime.md` section 17.1.
 */
import type { DelayLevels } from '@rockhopper/protocol'
import type { RetentionRules } from './retention/retention-rules.ts'

/** When and how what is old is removed. */
export interface RetentionConfig extends RetentionRules {
  /** How often it is looked at what is to be removed (cleanResourceInterval). */
  readonly periodMs: number
  /** Files of the log that are removed in one run at the most (deleteFileBatchMax). */
  readonly maxFilesPerRun: number
  /** Pause between two files of the log (deleteCommitLogFilesInterval). */
  readonly logPauseMs: number
  /** Pause behind each queue that lost a file (deleteConsumeQueueFilesInterval). */
  readonly queuePauseMs: number
}

/** The index by which messages are found by their keys. */
export interface KeyIndexConfig {
  /** Whether keys are added (messageIndexEnable); queries find what is there in any case. */
  readonly enabled: boolean
  /** Slots and entries of a file (maxHashSlotNum, maxIndexNum); other files are made anew. */
  readonly slotCount: number
  readonly entryLimit: number
  /** Most messages of one answer (maxMsgsNumBatch). */
  readonly maxMessages: number
}

export interface StoreConfig {
  /** Absolute folder of everything the store keeps (storePathRootDir). */
  readonly rootDirectory: string
  /** Folder of the commit log (storePathCommitLog); `<root>/commitlog` when absent. */
  readonly commitLogDirectory?: string | undefined
  /** Size of a commit log segment (mappedFileSizeCommitLog); stays as the store was made with. */
  readonly commitLogSegmentBytes: number
  /** Size of a consume queue segment (mappedFileSizeConsumeQueue), a multiple of 20. */
  readonly consumeQueueSegmentBytes: number
  /** Whether `settled` waits for the device or only for the operating system (flushDiskType). */
  readonly flushDisk: 'async' | 'sync'
  /** How often the log is synced when nobody waits for it (flushIntervalCommitLog). */
  readonly flushIntervalMs: number
  /** Pages of 4 KiB without which that is put off (flushCommitLogLeastPages); none when absent. */
  readonly flushLeastPages?: number | undefined
  /** How long it is put off at the most (flushCommitLogThoroughInterval); 10 s when absent. */
  readonly flushThoroughMs?: number | undefined
  /** Whether so many pages are synced at once (flushCommitLogTimed and wakeFlushWhenPutMessage). */
  readonly flushesAtOnce?: boolean | undefined
  /** How long `settled` waits for the device, unless told otherwise (syncFlushTimeout). */
  readonly syncFlushTimeoutMs: number
  /** Largest body (maxMessageSize). */
  readonly maxMessageBytes: number
  /** Whether each record ends with a checksum of all of it (enabledAppendPropCRC). */
  readonly appendWholeCrc?: boolean
  /** Whether a start takes only records that have it (forceVerifyPropCRC). */
  readonly verifyWholeCrc?: boolean
  /** How long delayed messages wait, by level (messageDelayLevel); Apache's levels when absent. */
  readonly delays?: DelayLevels | undefined
  /** How much of the newest log is kept in memory for readers. */
  readonly tailMemoryBytes: number
  /** Messages of one read from files (maxTransferCountOnMessageInDisk); as asked when absent. */
  readonly maxColdMessages?: number | undefined
  /** Bytes of one read from files (maxTransferBytesOnMessageInDisk); as asked when absent. */
  readonly maxColdBytes?: number | undefined
  /** Units that one read with a filter looks at (maxFilterMessageSize); 800 when absent. */
  readonly maxUnitsPerRead?: number | undefined
  /** Whether it takes no messages, but what another store has, until `endCopy` (brokerRole=SLAVE). */
  readonly isCopy?: boolean | undefined
  /** Without it nothing is removed, and messages are accepted until the volume is full. */
  readonly retention?: RetentionConfig | undefined
  /** Without it there is no key index, and nothing is found by its key. */
  readonly keyIndex?: KeyIndexConfig | undefined
}
