/**
 * The composition root of a broker: builds the parts, hands each what it uses, starts and closes
 * them in order. It holds no behaviour.
 */
import type { Address, Host } from '@rockhopper/host'
import { formatAddress } from '@rockhopper/host'
import { hostAddress, offsetIdPrefix, UniqueKeys } from '@rockhopper/protocol'
import { RemotingServer, Router } from '@rockhopper/remoting'
import { cutLog, openStore, readJsonFile, type Store } from '@rockhopper/store'
import type { BrokerConfig } from './config.ts'
import { handleClientChecks } from './handlers/client-check.ts'
import { handleConsumers } from './handlers/consumers.ts'
import { handleDelays } from './handlers/delays.ts'
import { handleGroups } from './handlers/groups.ts'
import { handleHaStatus } from './handlers/ha-status.ts'
import { handleHeartbeats } from './handlers/heartbeat.ts'
import { handleLocks } from './handlers/locks.ts'
import { handleLookups } from './handlers/lookups.ts'
import { handleOffsets } from './handlers/offsets.ts'
import { handlePulls } from './handlers/pull.ts'
import { handleRelays } from './handlers/relays.ts'
import { handleReplay } from './handlers/replay.ts'
import { handleReplies } from './handlers/reply.ts'
import { handleRetention } from './handlers/retention.ts'
import { handleRuntime } from './handlers/runtime.ts'
import { handleSends } from './handlers/send.ts'
import { handleSendBacks } from './handlers/send-back.ts'
import { refuseAtSlave } from './handlers/slave-refusals.ts'
import { handleStatistics } from './handlers/statistics.ts'
import { handleTimers } from './handlers/timers.ts'
import { handleTopics } from './handlers/topics.ts'
import { handleTransactions } from './handlers/transactions.ts'
import { handleWaiting } from './handlers/waiting.ts'
import { delaysOf, storeConfigOf, timerRulesOf } from './parts-config.ts'
import { systemGroups, systemTopics } from './rules/system-topics.ts'
import { Commits } from './services/commits.ts'
import { DelayedDelivery } from './services/delayed-delivery.ts'
import { Membership } from './services/membership.ts'
import { takeBackOffsets } from './services/offsets-after-outage.ts'
import { Progress } from './services/progress.ts'
import { PullFilters } from './services/pull-filters.ts'
import { ReaderAdmission } from './services/reader-admission.ts'
import { Registration } from './services/registration.ts'
import {
  MasterReplication,
  type Replication,
  SlaveReplication,
  slavesNeeded,
} from './services/replication.ts'
import { ReplicationAcks } from './services/replication-acks.ts'
import { Reopening } from './services/replication-cut.ts'
import { rescueLog, rescueTables } from './services/replication-rescue.ts'
import { SlaveSync } from './services/slave-sync.ts'
import { SubscriptionGuard } from './services/subscription-guard.ts'
import { PeriodicallySavedTable, SavedTable } from './services/table-files.ts'
import { TimedDelivery } from './services/timed-delivery.ts'
import { TrafficCounters } from './services/traffic.ts'
import { Transactions } from './services/transactions.ts'
import { ClientTable } from './tables/clients.ts'
import { DelayOffsetTable } from './tables/delay-offsets.ts'
import { GroupTable } from './tables/groups.ts'
import { MasterAddress } from './tables/master-address.ts'
import { OffsetTable } from './tables/offsets.ts'
import { PeerHosts } from './tables/peer-hosts.ts'
import { PendingTimers } from './tables/pending-timers.ts'
import { QueueLockTable } from './tables/queue-locks.ts'
import { SqlFilters } from './tables/sql-filters.ts'
import { TopicTable } from './tables/topics.ts'

/** The VIP port of old clients lies so far below the port. Source: Apache class BrokerController. */
const VIP_PORT_BELOW = 2
/** Where `haListenPort` is not set. Source: Apache class BrokerStartup. */
const HA_PORT_ABOVE = 1
const HOUR_MS = 3_600_000

/** A running broker. */
export interface Broker {
  readonly brokerName: string
  /** Where clients are told to connect to, `ip:port`. */
  readonly address: string
  /** Resolves when the disk has failed: the broker takes nothing more and should be stopped. */
  readonly failed: Promise<Error>
  /** Finishes what was begun, leaves the routes, saves everything. */
  close(): Promise<void>
}

/**
 * Recovers the store, listens, and registers with the name servers. Throws `DiskError`,
 * `CorruptionError` or `NetworkError` with a sentence that says what to do.
 */
export async function startBroker(host: Host, config: BrokerConfig): Promise<Broker> {
  if (!isSlave(config)) return openBroker(host, config, () => {})
  const { logger } = host
  const { first, reopening } = await Reopening.start({
    logger,
    open: (onDiverged) => openBroker(host, config, onDiverged),
    cut: (to) => cutLog(host, storeConfigOf(config), to),
  })
  const { address, brokerName } = first
  return { address, brokerName, failed: reopening.failed, close: () => reopening.close() }
}

type OnDiverged = (to: number) => void

async function openBroker(
  host: Host,
  config: BrokerConfig,
  onDiverged: OnDiverged,
): Promise<Broker> {
  const tables = new Tables(host, config)
  const acks = acksOf(host, config)
  const store = await openStore(host, { ...storeConfigOf(config), isCopy: true }, acks)
  try {
    const rescuer = isSlave(config) ? undefined : await rescueLog(host, config, store)
    if (!isSlave(config)) store.endCopy()
    tables.load()
    if (rescuer !== undefined && tables.areNew) await rescueTables(host, rescuer, tables)
    if (!isSlave(config)) takeBackOffsets(tables.offsets, store, host.logger)
    return await serve(host, config, tables, store, { acks, onDiverged })
  } catch (error) {
    await store.close()
    throw error
  }
}

/** What the broker knows beside its messages, and the files it is kept in. */
class Tables {
  readonly topics: TopicTable
  readonly groups: GroupTable
  readonly offsets: OffsetTable
  readonly delayOffsets: DelayOffsetTable
  readonly delayOffsetPath: string
  readonly locks: QueueLockTable
  readonly timers = new PendingTimers()
  readonly savedTopics: SavedTable
  readonly savedGroups: SavedTable
  readonly savedOffsets: PeriodicallySavedTable
  readonly savedLocks: SavedTable
  readonly systemTopicNames: readonly string[]
  readonly #host: Host
  readonly #config: BrokerConfig
  #areNew = false

  constructor(host: Host, config: BrokerConfig) {
    this.#host = host
    this.#config = config
    const isCopy = isSlave(config)
    this.topics = new TopicTable(host.clock, { isCopy })
    this.groups = new GroupTable(host.clock, { isCopy })
    this.offsets = new OffsetTable(host.clock)
    this.delayOffsets = new DelayOffsetTable(host.clock)
    const lockLeaseMs = config['rocketmq.broker.rebalance.lockMaxLiveTime']
    this.locks = new QueueLockTable(host.clock, lockLeaseMs)
    this.delayOffsetPath = this.#path('delayOffset')
    this.savedTopics = new SavedTable(host, this.#path('topics'), this.topics)
    this.savedGroups = new SavedTable(host, this.#path('subscriptionGroup'), this.groups)
    this.savedOffsets = new PeriodicallySavedTable(
      host,
      this.#path('consumerOffset'),
      this.offsets,
      config.flushConsumerOffsetInterval,
    )
    this.savedLocks = new SavedTable(host, this.#path('queueLocks'), this.locks)
    this.systemTopicNames = systemTopics(config).map(({ topicName }) => topicName)
  }

  /** Whether there was no file of topics to load. */
  get areNew(): boolean {
    return this.#areNew
  }

  load(): void {
    const { disk } = this.#host
    const topics = readJsonFile(disk, this.#path('topics'))
    this.#areNew = topics === undefined
    this.topics.load(topics)
    this.groups.load(readJsonFile(disk, this.#path('subscriptionGroup')))
    this.offsets.load(readJsonFile(disk, this.#path('consumerOffset')))
    this.delayOffsets.load(readJsonFile(disk, this.delayOffsetPath))
    this.locks.load(readJsonFile(disk, this.#path('queueLocks')))
    for (const topic of systemTopics(this.#config)) {
      if (this.topics.get(topic.topicName) === undefined) this.topics.put(topic)
    }
    for (const group of systemGroups) this.groups.obtain(group, true)
    this.savedTopics.start()
    this.savedGroups.start()
    this.savedOffsets.start()
    this.savedLocks.start()
  }

  /** What a slave takes over from its master, and its files. */
  get kept() {
    const { delayOffsetPath, delayOffsets, groups, offsets, topics } = this
    const { savedGroups, savedOffsets, savedTopics } = this
    const known = { delayOffsetPath, delayOffsets, groups, offsets, topics }
    return { ...known, savedGroups, savedOffsets, savedTopics }
  }

  async close(): Promise<void> {
    await this.savedTopics.stop()
    await this.savedGroups.stop()
    await this.savedOffsets.stop()
    this.locks.forgetEnded()
    await this.savedLocks.stop()
  }

  #path(name: string): string {
    return `${this.#config.storePathRootDir}/config/${name}.json`
  }
}

interface ReplicationParts {
  /** What messages wait for beside this broker's own disk; undefined for nothing. */
  readonly acks: ReplicationAcks | undefined
  /** Told when the log of this slave has to end before, to be like its master's. */
  readonly onDiverged: OnDiverged
}

async function serve(
  host: Host,
  config: BrokerConfig,
  tables: Tables,
  store: Store,
  { acks, onDiverged }: ReplicationParts,
): Promise<Broker> {
  const clients = new ClientTable(host.clock)
  const traffic = new TrafficCounters(host.clock)
  const membership = new Membership(host, config, clients, tables.groups)
  const guard = new SubscriptionGuard(host, config, clients, tables.groups)
  const { locks } = tables
  const router = new Router(host.logger)
  const server = await RemotingServer.listen(host, {
    addresses: listenAddresses(config),
    router,
    onConnectionClosed: (connection) => {
      guard.disconnected(connection)
      membership.disconnected(connection)
      locks.disconnected(connection)
    },
    idleMs: config.serverChannelMaxIdleTimeSeconds * 1_000,
  })
  const listenPort = server.addresses[0]?.port ?? config.listenPort
  const identity = identityOf(config, listenPort)
  const served = { clients, listenPort, store, traffic }
  const transactions = transactionsOf(host, config, tables, served)
  const timedDelivery = timedDeliveryOf(host, config, tables, store, traffic)
  const master = isSlave(config) ? new MasterAddress(host.clock) : undefined
  const ownAddress = identity.brokerAddr
  const slaveSync = master && new SlaveSync({ ...tables.kept, host, master, ownAddress, store })
  const writing = { timedDelivery, transactions }
  const live = { ...writing, clients, guard, locks, membership, slaveSync, traffic }
  addHandlers(router, host, config, { ...live, tables, store, listenPort })
  traffic.start((error) => host.logger.error('The counting of traffic failed.', { error }))
  membership.start()
  const address = { host: config.bindAddress, port: haPortOf(config, listenPort) }
  const replication: Replication =
    master === undefined
      ? new MasterReplication(host, { acks, address, config, store })
      : new SlaveReplication(host, { address, config, master, onDiverged, store })
  handleHaStatus(router, { clock: host.clock, replication })
  try {
    await replication.start()
  } catch (error) {
    await server.close()
    throw error
  }
  const { topics } = tables
  const registration = new Registration(host, { config, identity, master, topics })
  await registration.start()
  const delivery = deliveryOf(host, config, tables, store, traffic)
  // What a slave delivered would be written to its log, which is its master's.
  if (slaveSync === undefined)
    for (const writer of [delivery, timedDelivery, transactions]) writer.start()
  else slaveSync.start()
  return {
    brokerName: config.brokerName,
    address: identity.brokerAddr,
    failed: store.failed,
    async close() {
      await registration.stop()
      await slaveSync?.stop()
      await server.close()
      await membership.stop()
      await delivery.stop()
      await timedDelivery.stop()
      await transactions.stop()
      await replication.stop()
      await traffic.stop()
      try {
        await tables.close()
      } finally {
        await store.close()
      }
    },
  }
}

function deliveryOf(
  { clock, disk, logger }: Host,
  config: BrokerConfig,
  { delayOffsets: offsets, delayOffsetPath: path }: Tables,
  store: Store,
  traffic: TrafficCounters,
): DelayedDelivery {
  const delays = delaysOf(config)
  const savePeriodMs = config.flushDelayOffsetInterval
  const keptMs = config.fileReservedTime * HOUR_MS
  const saving = { disk, path, savePeriodMs }
  return new DelayedDelivery({ clock, logger, store, offsets, traffic, delays, keptMs, ...saving })
}

function timedDeliveryOf(
  { clock, disk, logger }: Host,
  config: BrokerConfig,
  { timers }: Tables,
  store: Store,
  traffic: TrafficCounters,
): TimedDelivery {
  return new TimedDelivery({
    ...{ clock, disk, logger, store, timers, traffic },
    rules: timerRulesOf(config),
    root: config.storePathRootDir,
    logFileBytes: config.mappedFileSizeTimerLog,
    savePeriodMs: config.flushDelayOffsetInterval,
  })
}

function transactionsOf(
  host: Host,
  config: BrokerConfig,
  { offsets, topics }: Tables,
  { listenPort, ...live }: Pick<Parts, 'clients' | 'listenPort' | 'store' | 'traffic'>,
): Transactions {
  const { clock, logger } = host
  const { brokerIP1, brokerName } = config
  const keys = uniqueKeysOf(host, config)
  return new Transactions({
    ...{ ...live, clock, logger, offsets, topics, brokerName },
    storeHost: hostAddress(brokerIP1, listenPort),
    uniqueKey: () => keys.next(),
    rules: { maxChecks: config.transactionCheckMax, keptMs: config.fileReservedTime * HOUR_MS },
    firstCheckMs: config.transactionTimeOut,
    nextCheckMs: config.transactionCheckInterval,
    opMaxChars: config.transactionOpMsgMaxSize,
    opIntervalMs: config.transactionOpBatchInterval,
    noteEveryMs: config.flushConsumerOffsetInterval,
  })
}

function uniqueKeysOf({ clock, machine, random }: Host, { brokerIP1 }: BrokerConfig): UniqueKeys {
  const salt = random.bytes(4).readInt32BE(0)
  return new UniqueKeys({ ip: brokerIP1, pid: machine.pid, salt, nowMs: () => clock.nowMs() })
}

interface Parts {
  readonly tables: Tables
  readonly store: Store
  readonly clients: ClientTable
  readonly traffic: TrafficCounters
  readonly guard: SubscriptionGuard
  readonly locks: QueueLockTable
  readonly membership: Membership
  /** Undefined at a master. */
  readonly slaveSync: SlaveSync | undefined
  readonly timedDelivery: TimedDelivery
  readonly transactions: Transactions
  readonly listenPort: number
}

function addHandlers(router: Router, host: Host, config: BrokerConfig, parts: Parts): void {
  const { clients, guard, listenPort, locks, membership, store, tables, timedDelivery } = parts
  const { slaveSync, traffic, transactions } = parts
  const { timers } = tables
  const { delayOffsets, groups, offsets, savedGroups, savedOffsets, savedTopics, topics } = tables
  const { clock, logger, machine, random } = host
  const { brokerIP1, brokerName } = config
  const storeHost = hostAddress(brokerIP1, listenPort)
  const keys = uniqueKeysOf(host, config)
  const delays = delaysOf(config)
  const timerRules = timerRulesOf(config)
  const peers = new PeerHosts()
  const putting = { config, delays, groups, random, savedTopics, store, storeHost, topics, traffic }
  const idPrefix = offsetIdPrefix(storeHost)
  handleSends(router, {
    ...putting,
    locks,
    ...{ clock, peers, timerRules, timers, transactions },
    offsetIdPrefix: idPrefix,
    uniqueKey: () => keys.next(),
  })
  handleReplies(router, { ...putting, clients, clock, logger, offsetIdPrefix: idPrefix, peers })
  handleTransactions(router, { logger, store, transactions })
  handleSendBacks(router, putting)
  handleDelays(router, { delayOffsets, isCopy: isSlave(config), store })
  handleWaiting(router, { clock, config, store, timerRules, timers, transactions })
  handleTimers(router, {
    ...{
      clock,
      config,
      peers,
      store,
      storeHost,
      timedDelivery,
      timerRules,
      timers,
      topics,
      traffic,
    },
  })
  const filters = new PullFilters({ config, clients, sqlFilters: new SqlFilters() })
  const admission = new ReaderAdmission(clients, groups, guard)
  const commits = new Commits({ locks, offsets })
  handlePulls(router, {
    ...{
      admission,
      clock,
      commits,
      config,
      filters,
      groups,
      offsets,
      slaveSync,
      topics,
      store,
      traffic,
    },
    memoryBytes: (machine.totalMemoryBytes * config.accessMessageInMemoryMaxRatio) / 100,
  })
  handleClientChecks(router, filters)
  handleOffsets(router, {
    ...{ clients, commits, logger, offsets, topics, store },
    totalMemoryBytes: machine.totalMemoryBytes,
  })
  handleLocks(router, { locks, saved: tables.savedLocks })
  handleLookups(router, { store, uniqueKeyMaxMessages: config.defaultQueryMaxNum })
  handleHeartbeats(router, { config, clients, groups, guard, topics, membership })
  const { systemTopicNames } = tables
  handleTopics(router, { topics, offsets, saved: savedTopics, store, systemTopicNames })
  handleGroups(router, { groups, offsets, saved: savedGroups })
  const figures = { brokerName, offsets, store, topics }
  const watched = { ...figures, clients, progress: new Progress(figures), traffic }
  handleStatistics(router, { ...watched, guard })
  const brokerAddress = formatAddress({ host: brokerIP1, port: listenPort })
  handleConsumers(router, { ...watched, brokerAddress, clock, groups })
  handleRelays(router, { brokerName, clients, groups, logger, store, topics })
  handleReplay(router, {
    ...{ clients, config, groups, logger, offsets, store, topics },
    saved: savedOffsets,
  })
  handleRetention(router, { offsets, store, topics })
  const { haServerAddr } = identityOf(config, listenPort)
  const told = { ...watched, config, delayOffsets, guard, haServerAddr }
  handleRuntime(router, { ...told, clock, timedDelivery })
  if (slaveSync !== undefined) refuseAtSlave(router, config)
}

function acksOf({ clock }: Host, config: BrokerConfig): ReplicationAcks | undefined {
  if (config.brokerRole !== 'SYNC_MASTER') return undefined
  const { minInSyncReplicas: leastInStep, slaveTimeout: timeoutMs } = config
  return new ReplicationAcks(clock, { enough: slavesNeeded(config), leastInStep, timeoutMs })
}

function haPortOf({ haListenPort }: BrokerConfig, listenPort: number): number {
  return haListenPort === 0 ? listenPort + HA_PORT_ABOVE : haListenPort
}

function isSlave({ brokerRole }: BrokerConfig): boolean {
  return brokerRole === 'SLAVE'
}

/** The port, and the VIP port below it, which old clients and slaves use. */
function listenAddresses({ bindAddress, listenPort }: BrokerConfig): Address[] {
  const main = { host: bindAddress, port: listenPort }
  if (listenPort <= VIP_PORT_BELOW) return [main]
  return [main, { host: bindAddress, port: listenPort - VIP_PORT_BELOW }]
}

function identityOf(config: BrokerConfig, listenPort: number) {
  const { brokerIP1, brokerIP2, brokerName } = config
  return {
    brokerName,
    brokerAddr: formatAddress({ host: brokerIP1, port: listenPort }),
    haServerAddr: formatAddress({ host: brokerIP2, port: haPortOf(config, listenPort) }),
  }
}
