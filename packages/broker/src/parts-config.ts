/**
 * What the parts of a broker are told of its configuration, in their own words and units.
 */
import assert from 'node:assert/strict'
import { type DelayLevels, delayLevelsOf } from '@rockhopper/protocol'
import type { StoreConfig } from '@rockhopper/store'
import { type BrokerConfig, type BrokerSettings, hoursOf } from './config.ts'
import type { TimerRules } from './rules/timed.ts'

const HOUR_MS = 3_600_000

const PRECISIONS_MS = [1_000, 500, 200, 100]

/** Where nothing is kept, messages must not be stored again all the time. */
const LEAST_ROLL_WINDOW_MS = 60_000

/** The newest part of the log that is served to consumers without touching a file. */
const TAIL_MEMORY_BYTES = 32 * 1024 * 1024

/** How messages wait that have a time of their own. */
export function timerRulesOf(config: BrokerSettings): TimerRules {
  const { fileReservedTime, timerMaxDelaySec, timerPrecisionMs, timerRollWindowSlot } = config
  const precisionMs = PRECISIONS_MS.find((ms) => ms <= timerPrecisionMs) ?? 100
  // A message is stored again before its first copy may be removed.
  const safeMs = Math.max((fileReservedTime * HOUR_MS) / 2, LEAST_ROLL_WINDOW_MS)
  return {
    isEnabled: config.timerWheelEnable,
    precisionMs,
    maxDelayMs: timerMaxDelaySec * 1_000,
    rollWindowMs: Math.min(timerRollWindowSlot * precisionMs, safeMs),
  }
}

/** How long messages of each level of delay wait. */
export function delaysOf({ messageDelayLevel }: BrokerSettings): DelayLevels {
  const delays = delayLevelsOf(messageDelayLevel)
  assert(delays !== undefined, `messageDelayLevel was read, and is "${messageDelayLevel}"`)
  return delays
}

/** The part of the configuration that is the store's. */
export function storeConfigOf(config: BrokerConfig): StoreConfig {
  return {
    rootDirectory: config.storePathRootDir,
    ...(config.storePathCommitLog === '' ? {} : { commitLogDirectory: config.storePathCommitLog }),
    commitLogSegmentBytes: config.mappedFileSizeCommitLog,
    consumeQueueSegmentBytes: Math.ceil(config.mappedFileSizeConsumeQueue / 20) * 20,
    flushDisk: config.flushDiskType === 'SYNC_FLUSH' ? 'sync' : 'async',
    flushIntervalMs: config.flushIntervalCommitLog,
    flushLeastPages: config.flushCommitLogLeastPages,
    flushThoroughMs: config.flushCommitLogThoroughInterval,
    flushesAtOnce: config.wakeFlushWhenPutMessage && !config.flushCommitLogTimed,
    maxColdMessages: config.maxTransferCountOnMessageInDisk,
    maxColdBytes: config.maxTransferBytesOnMessageInDisk,
    maxUnitsPerRead: Math.ceil(config.maxFilterMessageSize / 20),
    syncFlushTimeoutMs: config.syncFlushTimeout,
    maxMessageBytes: config.maxMessageSize,
    appendWholeCrc: config.enabledAppendPropCRC,
    verifyWholeCrc: config.forceVerifyPropCRC,
    delays: delaysOf(config),
    tailMemoryBytes: TAIL_MEMORY_BYTES,
    keyIndex: {
      enabled: config.messageIndexEnable,
      slotCount: config.maxHashSlotNum,
      entryLimit: config.maxIndexNum,
      maxMessages: config.maxMsgsNumBatch,
    },
    retention: retentionOf(config),
  }
}

function retentionOf(config: BrokerConfig): NonNullable<StoreConfig['retention']> {
  return {
    reservedMs: config.fileReservedTime * HOUR_MS,
    deleteHours: hoursOf(config.deleteWhen) ?? [],
    cleanAbovePercent: config.diskMaxUsedSpaceRatio,
    forceAbovePercent: config.diskSpaceCleanForciblyRatio,
    refuseAbovePercent: config.diskSpaceWarningLevelRatio,
    mayForce: config.cleanFileForciblyEnable,
    periodMs: config.cleanResourceInterval,
    maxFilesPerRun: config.deleteFileBatchMax,
    logPauseMs: config.deleteCommitLogFilesInterval,
    queuePauseMs: config.deleteConsumeQueueFilesInterval,
  }
}
