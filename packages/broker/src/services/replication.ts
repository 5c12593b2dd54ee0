/**
 * Where the machines of replication, the log and the network of a broker meet: a master sends its log
 * to its slaves, a slave follows its master. Owns the drivers of both.
 *
 * A slave listens for slaves as well, as Apache's does: for those of its own, and for a master that
 * has lost what it has.
 */
import { type Address, type Host, NetworkError, parseAddress } from '@rockhopper/host'
import type { HaStatus } from '@rockhopper/protocol'
import { FollowerDriver, LeaderDriver } from '@rockhopper/replication'
import type { Store } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import type { MasterAddress } from '../tables/master-address.ts'
import type { ReplicationAcks } from './replication-acks.ts'
import { followerLog, leaderLog } from './replication-log.ts'

/** What a broker does for replication, as its root starts and ends it. */
export interface Replication {
  /** How it stands, for operators. */
  readonly status: HaStatus
  /** Rejects with `NetworkError` when slaves cannot be listened to. */
  start(): Promise<void>
  stop(): Promise<void>
}

interface BrokerParts {
  readonly config: BrokerConfig
  readonly store: Store
  /** Where slaves are listened to. */
  readonly address: Address
}

export interface MasterParts extends BrokerParts {
  /** Undefined when no message waits for slaves. */
  readonly acks: ReplicationAcks | undefined
}

/** A master's side. */
export class MasterReplication implements Replication {
  readonly #leader: LeaderDriver
  readonly #acks: ReplicationAcks | undefined
  readonly #store: Store

  constructor(host: Host, { acks, ...parts }: MasterParts) {
    this.#acks = acks
    this.#store = parts.store
    this.#leader = leaderOf(host, parts, acks)
  }

  get status(): HaStatus {
    const logEndOffset = this.#store.marks.written.value
    const slaves = this.#leader.followers.map(({ ackedOffset, address, isNear, sentOffset }) => ({
      ...{ addr: address, slaveAckOffset: ackedOffset, diff: logEndOffset - ackedOffset },
      ...{ inSync: isNear, transferredByteInSecond: 0, transferFromWhere: sentOffset },
    }))
    return { role: 'master', logEndOffset, inSyncSlaves: this.#leader.followersNear, slaves }
  }

  async start(): Promise<void> {
    await listen(this.#leader)
    this.#acks?.attach(this.#leader)
  }

  async stop(): Promise<void> {
    this.#acks?.close()
    await this.#leader.stop()
  }
}

export interface SlaveParts extends BrokerParts {
  /** Where the name servers say that the master is. */
  readonly master: MasterAddress
  /** Told when the log has to end at `to` or before, to be the beginning of the master's. */
  readonly onDiverged: (to: number) => void
}

/** A slave's side. */
export class SlaveReplication implements Replication {
  readonly #parts: SlaveParts
  readonly #leader: LeaderDriver
  readonly #follower: FollowerDriver
  readonly #stopping = new AbortController()
  #learning: Promise<void> | undefined

  constructor(host: Host, parts: SlaveParts) {
    this.#parts = parts
    const { config, onDiverged, store } = parts
    this.#leader = leaderOf(host, parts, undefined)
    this.#follower = new FollowerDriver(host, {
      log: followerLog(config, store),
      heartbeatMs: config.haSendHeartbeatInterval,
      silenceMs: config.haHousekeepingInterval,
      needsWelcome: false,
      maxCutBytes: config.slaveMaxCutBytes,
      onDiverged: (to) => onDiverged(to),
    })
  }

  get status(): HaStatus {
    const { config, master, store } = this.#parts
    const masterAddr = config.haMasterAddress || (master.place?.haAddress ?? '')
    const times = { lastReadTimestamp: 0, lastWriteTimestamp: 0 }
    const unknown = { ...times, masterFlushOffset: 0, transferredByteInSecond: 0 }
    const maxOffset = store.marks.written.value
    return { role: 'slave', following: { ...unknown, masterAddr, maxOffset } }
  }

  async start(): Promise<void> {
    await listen(this.#leader)
    this.#follower.start()
    const { haMasterAddress } = this.#parts.config
    if (haMasterAddress === '') this.#learning = this.#learn()
    else this.#follower.follow(parseAddress(haMasterAddress))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#learning
    await this.#follower.stop()
    await this.#leader.stop()
  }

  /** Follows the master wherever the name servers say that it is. */
  async #learn(): Promise<void> {
    const { master } = this.#parts
    const { signal } = this.#stopping
    let known = 0
    do {
      known = master.revision.value
      const haAddress = master.place?.haAddress
      if (haAddress !== undefined) this.#follower.follow(parseAddress(haAddress))
    } while (await master.revision.reached(known + 1, { signal }))
  }
}

/** How many slaves must have a message before it is acknowledged, where that is waited for. */
export function slavesNeeded({ inSyncReplicas }: BrokerConfig): number {
  return Math.max(1, inSyncReplicas - 1)
}

function leaderOf(
  host: Host,
  { address, config, store }: BrokerParts,
  acks: ReplicationAcks | undefined,
): LeaderDriver {
  return new LeaderDriver(host, {
    address,
    log: leaderLog(config, store),
    frameBytes: config.haTransferBatchSize,
    heartbeatMs: config.haSendHeartbeatInterval,
    silenceMs: config.haHousekeepingInterval,
    maxLagBytes: config.haMaxGapNotInSync,
    maxBytesPerSecond: config.haFlowControlEnable
      ? config.maxHaTransferByteInSecond
      : Number.POSITIVE_INFINITY,
    enough: slavesNeeded(config),
    onReplicated: (to) => acks?.replicated(to),
    onLost: () => acks?.lost(),
  })
}

async function listen(leader: LeaderDriver): Promise<void> {
  try {
    await leader.start()
  } catch (error) {
    if (!(error instanceof NetworkError)) throw error
    const message = `slaves cannot be listened to (haListenPort): ${error.message}`
    throw new NetworkError(error.code, message, { cause: error })
  }
}
