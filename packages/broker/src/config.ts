/**
 * The broker's configuration: Apache's keys, as a table. A key that only Apache's broker has is in
 * `foreign-keys.ts`, with the reason why it has no effect here.
 */
import type { Host } from '@rockhopper/host'
import {
  ConfigError,
  type ConfigOf,
  configTable,
  DEFAULT_DELAY_LEVELS,
  delayLevelsOf,
  type ReadConfig,
  readConfig,
  setting,
  TRACE_TOPIC,
} from '@rockhopper/protocol'
import { foreignKeys, oldSpellings } from './foreign-keys.ts'
import { replicationSettings } from './replication-config.ts'

const { bool, choice, int, text } = setting

const MIB = 1024 * 1024

export const brokerConfigTable = configTable({
  brokerClusterName: text({ default: 'DefaultCluster', meaning: 'cluster this broker belongs to' }),
  brokerName: text({
    default: '',
    defaultShown: 'the host name',
    meaning: 'name shared by a master and its slaves',
  }),
  brokerId: int({ default: 0, meaning: '0 is the master, which always has it; slaves are above' }),
  ...replicationSettings,
  namesrvAddr: text({
    default: '',
    defaultShown: 'environment NAMESRV_ADDR',
    meaning: 'name servers to register with, host:port joined by ";"',
  }),
  listenPort: int({ default: 10_911, max: 65_535, meaning: 'port; the VIP port is 2 below' }),
  bindAddress: text({
    default: '',
    defaultShown: '127.0.0.1, or 0.0.0.0 when brokerIP1 is not loopback',
    meaning: 'local address to listen on',
  }),
  brokerIP1: text({
    default: '',
    defaultShown: '127.0.0.1, or the address of this machine when bindAddress is not loopback',
    meaning: 'address that clients are told to connect to',
  }),
  brokerPermission: int({ default: 6, max: 7, meaning: 'bits: 4 read, 2 write' }),
  autoCreateTopicEnable: bool({
    default: true,
    meaning: 'whether a send creates a topic that does not exist',
  }),
  autoCreateSubscriptionGroup: bool({
    default: true,
    meaning: 'whether a consumer creates a group that does not exist',
  }),
  defaultTopicQueueNums: int({
    default: 8,
    min: 1,
    max: 16_384,
    meaning: 'queues that a topic created by a send has at the most',
  }),
  clusterTopicEnable: bool({
    default: true,
    meaning: 'whether the topic named after the cluster may be used',
  }),
  brokerTopicEnable: bool({
    default: true,
    meaning: 'whether the topic named after the broker may be used',
  }),
  regionId: text({ default: 'DefaultRegion', meaning: 'region that messages and answers carry' }),
  traceOn: bool({ default: true, meaning: 'whether messages may be traced' }),
  traceTopicEnable: bool({
    default: false,
    meaning: 'whether there is a topic for the traces of messages from the start',
  }),
  msgTraceTopicName: text({ default: TRACE_TOPIC, meaning: 'name of that topic' }),
  storePathRootDir: text({
    default: '',
    defaultShown: '~/store',
    meaning: 'folder that holds everything the broker keeps',
  }),
  storePathCommitLog: text({
    default: '',
    defaultShown: '<storePathRootDir>/commitlog',
    meaning: 'folder of the commit log',
  }),
  mappedFileSizeCommitLog: int({
    default: 1024 * MIB,
    min: 1 * MIB,
    max: 2 ** 31 - 1,
    unit: 'bytes',
    meaning: 'size of a commit log file; must be what the files in the folder have',
  }),
  mappedFileSizeConsumeQueue: int({
    default: 6_000_000,
    min: 20,
    max: 2 ** 31 - 20,
    unit: 'bytes',
    meaning: 'size of a consume queue file, rounded up to a multiple of 20',
  }),
  fileReservedTime: int({
    default: 72,
    unit: 'hours',
    meaning: 'how long a commit log file is kept after it was last written, while there is room',
  }),
  deleteWhen: text({
    default: '04',
    check: (value) =>
      hoursOf(value) === undefined ? 'hours from 0 to 23 joined by ";"' : undefined,
    meaning: 'local hours, joined by ";", in which commit log files that have expired are removed',
  }),
  diskMaxUsedSpaceRatio: int({
    ...{ default: 75, min: 10, max: 95, clamped: true, unit: 'percent' },
    meaning: 'used part of the volume above which what has expired is removed at any hour',
  }),
  diskSpaceCleanForciblyRatio: int({
    ...{ default: 85, min: 30, max: 85, clamped: true, unit: 'percent' },
    meaning: 'used part of the volume above which files are removed before they expire',
  }),
  diskSpaceWarningLevelRatio: int({
    ...{ default: 90, min: 35, max: 90, clamped: true, unit: 'percent' },
    meaning:
      'used part of the volume above which messages are refused, until diskSpaceCleanForciblyRatio ' +
      'or less are used',
  }),
  cleanFileForciblyEnable: bool({
    default: true,
    meaning: 'whether commit log files may be removed before they expire',
  }),
  deleteFileBatchMax: int({
    default: 10,
    min: 1,
    clamped: true,
    meaning: 'most commit log files that are removed in one run',
  }),
  deleteCommitLogFilesInterval: int({
    default: 100,
    unit: 'ms',
    meaning: 'pause between the removals of two commit log files',
  }),
  deleteConsumeQueueFilesInterval: int({
    default: 100,
    unit: 'ms',
    meaning: 'pause behind each queue of which a file was removed',
  }),
  cleanResourceInterval: int({
    default: 10_000,
    min: 10,
    unit: 'ms',
    meaning: 'how often it is looked at what is to be removed; first after six times as long',
  }),
  messageIndexEnable: bool({
    default: true,
    meaning: 'whether messages can be found by their keys and their unique ids',
  }),
  maxHashSlotNum: int({
    default: 5_000_000,
    min: 1,
    max: 100_000_000,
    meaning: 'slots of a key index file; files with another number are made anew from the log',
  }),
  maxIndexNum: int({
    default: 20_000_000,
    min: 2,
    max: 80_000_000,
    meaning: 'entries of a key index file; files with another number are made anew from the log',
  }),
  maxMsgsNumBatch: int({
    default: 64,
    min: 1,
    max: 1_024,
    meaning: 'most messages of one answer to a query by key',
  }),
  defaultQueryMaxNum: int({
    default: 32,
    min: 1,
    max: 1_024,
    meaning: 'messages that a query by unique id asks for, whatever it says',
  }),
  flushDiskType: choice({
    default: 'ASYNC_FLUSH',
    choices: ['ASYNC_FLUSH', 'SYNC_FLUSH'],
    meaning: 'acknowledge when the bytes are in the kernel, or when they are on the device',
  }),
  flushIntervalCommitLog: int({
    default: 500,
    min: 10,
    unit: 'ms',
    meaning: 'how often ASYNC_FLUSH brings the commit log to the device',
  }),
  flushCommitLogLeastPages: int({
    default: 0,
    unit: 'pages',
    meaning: 'pages of 4 KiB without which such a flush is put off; Apache waits for 4',
  }),
  flushCommitLogThoroughInterval: int({
    default: 10_000,
    min: 10,
    unit: 'ms',
    meaning: 'how long flushCommitLogLeastPages puts a flush off at the most',
  }),
  flushCommitLogTimed: bool({
    default: true,
    meaning: 'whether ASYNC_FLUSH waits for its interval even when wakeFlushWhenPutMessage is true',
  }),
  wakeFlushWhenPutMessage: bool({
    default: false,
    meaning: 'whether a message makes ASYNC_FLUSH flush at once, if flushCommitLogTimed is false',
  }),
  syncFlushTimeout: int({
    default: 5_000,
    min: 1,
    unit: 'ms',
    meaning: 'how long a send waits for the device before it is answered FLUSH_DISK_TIMEOUT',
  }),
  enabledAppendPropCRC: bool({
    default: false,
    meaning: 'whether each record ends with a checksum of all of it, the property __CRC32#',
  }),
  forceVerifyPropCRC: bool({
    default: false,
    meaning: 'whether a start takes only records with that checksum, and a right one',
  }),
  maxMessageSize: int({
    default: 4 * MIB,
    min: 1,
    max: 15 * MIB,
    unit: 'bytes',
    meaning: 'largest body of a message',
  }),
  maxTransferBytesOnMessageInMemory: int({
    default: 262_144,
    min: 1,
    max: 15 * MIB,
    unit: 'bytes',
    meaning: 'most bytes of one pull answer',
  }),
  maxTransferCountOnMessageInMemory: int({
    default: 1_024,
    min: 1,
    max: 1_024,
    meaning: 'most messages of one pull answer, of those that were asked for; Apache gives 32',
  }),
  maxTransferBytesOnMessageInDisk: int({
    default: 262_144,
    min: 1,
    max: 15 * MIB,
    unit: 'bytes',
    meaning: 'most bytes of one pull answer that is read from files; Apache gives 65536',
  }),
  maxTransferCountOnMessageInDisk: int({
    default: 1_024,
    min: 1,
    max: 1_024,
    meaning: 'most messages of one pull answer that is read from files; Apache gives 8',
  }),
  maxFilterMessageSize: int({
    default: 16_000,
    min: 20,
    max: 20 * MIB,
    unit: 'bytes',
    meaning: 'bytes of a consume queue, 20 a message, that one pull looks through for its tags',
  }),
  enablePropertyFilter: bool({
    default: true,
    meaning: "whether consumers may filter by SQL92; Apache's default is false",
  }),
  filterSupportRetry: bool({
    default: false,
    meaning:
      'whether an SQL92 subscription to a retry topic filters by the expression of the topic that ' +
      'a message came from',
  }),
  longPollingEnable: bool({
    default: true,
    meaning: 'whether a pull that finds nothing is held until something arrives',
  }),
  shortPollingTimeMills: int({
    default: 1_000,
    unit: 'ms',
    meaning: 'how long such a pull is held when longPollingEnable is false',
  }),
  flushConsumerOffsetInterval: int({
    default: 5_000,
    min: 10,
    unit: 'ms',
    meaning: 'how often changed offsets of consumer groups are saved',
  }),
  messageDelayLevel: text({
    default: DEFAULT_DELAY_LEVELS,
    check: (value) =>
      delayLevelsOf(value) === undefined ? 'durations such as 10s, 5m, 2h or 1d' : undefined,
    meaning: 'how long messages of the levels of delay wait, from level 1 on',
  }),
  flushDelayOffsetInterval: int({
    default: 10_000,
    min: 10,
    unit: 'ms',
    meaning: 'how often it is saved how far delayed messages are delivered',
  }),
  rejectTransactionMessage: bool({
    default: false,
    meaning: 'whether messages that begin a transaction are refused',
  }),
  transactionTimeOut: int({
    default: 6_000,
    unit: 'ms',
    meaning: 'how long after the first half of a transaction its producer is first asked about it',
  }),
  transactionCheckMax: int({
    default: 15,
    min: 1,
    meaning: 'how often a producer is asked before a transaction is given up',
  }),
  transactionCheckInterval: int({
    default: 30_000,
    min: 10,
    unit: 'ms',
    meaning: 'how long after a producer was asked about a transaction it is asked again',
  }),
  transactionOpMsgMaxSize: int({
    default: 4_096,
    min: 1,
    max: 1 * MIB,
    unit: 'bytes',
    meaning: 'size from which a message that tells which transactions are over is written at once',
  }),
  transactionOpBatchInterval: int({
    default: 3_000,
    unit: 'ms',
    meaning: 'how long such a message waits for more transactions to tell of',
  }),
  timerWheelEnable: bool({
    default: true,
    meaning: 'whether messages may have a time of their own at which they are delivered',
  }),
  timerPrecisionMs: int({
    ...{ default: 1_000, min: 100, max: 1_000, clamped: true, unit: 'ms' },
    meaning: 'how late such a message may be: 100, 200, 500 or 1000; others are rounded down',
  }),
  timerMaxDelaySec: int({
    default: 259_200,
    max: 315_360_000,
    unit: 'seconds',
    meaning: 'how far ahead that time may be',
  }),
  timerRollWindowSlot: int({
    default: 172_800,
    min: 3,
    max: 600_000,
    unit: 'slots of timerPrecisionMs',
    meaning: 'how long such a message waits before it is stored again, so that it does not age',
  }),
  mappedFileSizeTimerLog: int({
    default: 100 * MIB,
    min: 1 * MIB,
    max: 2 ** 31 - 1,
    unit: 'bytes',
    meaning: "size of a file of the timer log, which is left for Apache's broker at the end",
  }),
  recallMessageEnable: bool({
    default: true,
    meaning: "whether such a message may be called off; Apache's default is false",
  }),
  storeReplyMessageEnable: bool({
    default: true,
    meaning: 'whether replies to requests are stored as well as handed to who waits for them',
  }),
  'rocketmq.broker.rebalance.lockMaxLiveTime': int({
    default: 60_000,
    min: 1_000,
    unit: 'ms',
    meaning:
      'how long a consumer has a queue for itself after it last asked; in Apache a system property',
  }),
  notifyConsumerIdsChangedEnable: bool({
    default: true,
    meaning: 'whether members of a group are told when others come and go',
  }),
  subscriptionGuard: choice({
    default: 'warn',
    choices: ['off', 'warn', 'strict'],
    meaning:
      'what becomes of a consumer that subscribes differently than its group: nothing, a warning, ' +
      'or it is kept out',
  }),
  useServerSideResetOffset: bool({
    default: true,
    meaning:
      'whether offsets are reset at the broker, for groups that are offline too, or by telling ' +
      'the clients',
  }),
  registerNameServerPeriod: int({
    default: 30_000,
    min: 10_000,
    max: 60_000,
    unit: 'ms',
    meaning: 'how often the broker registers with the name servers',
  }),
  registerBrokerTimeoutMills: int({
    default: 24_000,
    min: 100,
    unit: 'ms',
    meaning: 'how long a registration may take',
  }),
  serverChannelMaxIdleTimeSeconds: int({
    default: 120,
    min: 1,
    unit: 'seconds',
    meaning: 'silence after which a connection is closed',
  }),
})

export type BrokerSettings = ConfigOf<typeof brokerConfigTable>

/** Reads a configuration file. Throws `ConfigError` naming every unknown key and bad value. */
export function readBrokerConfig(
  fileText: string,
  source: string,
): ReadConfig<typeof brokerConfigTable> {
  return readConfig(brokerConfigTable, fileText, {
    source,
    foreign: foreignKeys,
    spellings: oldSpellings,
  })
}

/** The configuration with everything that depends on the machine filled in. */
export interface BrokerConfig extends BrokerSettings {
  /** Addresses of the name servers, `host:port`. */
  readonly nameServers: readonly string[]
}

/** Throws `ConfigError` for a slave that has the broker id of masters. */
export function completeBrokerConfig(settings: BrokerSettings, host: Host): BrokerConfig {
  const { machine } = host
  const isSlave = settings.brokerRole === 'SLAVE'
  if (isSlave && settings.brokerId === 0) {
    throw new ConfigError([
      'a broker with brokerRole=SLAVE needs a brokerId above 0, which no other slave of its master has',
    ])
  }
  const own = machine.addresses[0] ?? '127.0.0.1'
  const listensBeyondLoopback = settings.bindAddress !== '' && !isLoopback(settings.bindAddress)
  const specific = listensBeyondLoopback && !isAnyAddress(settings.bindAddress)
  const reachable = specific ? settings.bindAddress : own
  const brokerIP1 = settings.brokerIP1 || (listensBeyondLoopback ? reachable : '127.0.0.1')
  const nameServers = settings.namesrvAddr || (machine.environment['NAMESRV_ADDR'] ?? '')
  return {
    ...settings,
    brokerId: isSlave ? settings.brokerId : 0,
    brokerName: settings.brokerName || machine.hostname,
    brokerIP1,
    brokerIP2: settings.brokerIP2 || brokerIP1,
    bindAddress: settings.bindAddress || (isLoopback(brokerIP1) ? '127.0.0.1' : '0.0.0.0'),
    storePathRootDir: settings.storePathRootDir || `${machine.homeDirectory}/store`,
    nameServers: nameServers.split(';').flatMap((address) => address.trim() || []),
  }
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === 'localhost' || address === '::1'
}

function isAnyAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::'
}

/** The hours in a list such as `04;16`; undefined when one of them is no hour of the day. */
export function hoursOf(list: string): number[] | undefined {
  const hours = list.split(';').flatMap((hour) => hour.trim() || [])
  return hours.length > 0 && hours.every((hour) => /^([01]?\d|2[0-3])$/.test(hour))
    ? hours.map(Number)
    : undefined
}
