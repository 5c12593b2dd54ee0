/**
 * What a master does before it takes messages: it asks its slaves whether one has more of its log, and
 * copies that. After a loss of power a master may lack what it acknowledged, and a slave has it: gone
 * on without, the two logs would part, and the messages be lost to those who read from the master.
 * Owns nothing. Apache's master does nothing of the kind.
 *
 * A master that lost its disk gets all of it back, and then the tables of topics, groups and offsets.
 */
import { type Address, type Host, parseAddress } from '@rockhopper/host'
import {
  decodeClusterInfo,
  decodeKvTable,
  GET_BROKER_CLUSTER_INFO,
  GET_BROKER_RUNTIME_INFO,
} from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { FollowerDriver } from '@rockhopper/replication'
import { type Store, writeJsonFile } from '@rockhopper/store'
import type { BrokerConfig } from '../config.ts'
import { RESCUE_ASK_MS, RESCUE_STALL_MS } from '../limits.ts'
import type { DelayOffsetTable } from '../tables/delay-offsets.ts'
import type { GroupTable } from '../tables/groups.ts'
import type { OffsetTable } from '../tables/offsets.ts'
import type { TopicTable } from '../tables/topics.ts'
import { tablesOfMaster } from './master-tables.ts'
import { followerLog } from './replication-log.ts'

const MASTER_ID = 0

/** A slave, and how far its log goes. */
interface Rescuer {
  readonly address: string
  readonly haAddress: Address
  readonly endOffset: number
}

/**
 * Copies what a slave has more; the store still copies. Never rejects for what a slave does. Returns the
 * address of the slave if the whole log comes from there.
 */
export async function rescueLog(
  host: Host,
  config: BrokerConfig,
  store: Store,
): Promise<string | undefined> {
  if (config.nameServers.length === 0) return undefined
  const wasEmpty = store.isEmpty
  const client = new RemotingClient(host)
  try {
    const [rescuer] = (await slavesOf(client, config)).sort((a, b) => b.endOffset - a.endOffset)
    const ownEnd = store.nextCopyOffset
    if (rescuer === undefined || rescuer.endOffset <= ownEnd) return undefined
    const { address: slave, endOffset } = rescuer
    const fields = { slave, ownEnd, slaveEnd: endOffset }
    host.logger.warn('A slave has more of the log than this master: it is copied first.', fields)
    await copyFrom(host, config, store, rescuer)
    const reachedEnd = store.nextCopyOffset
    if (reachedEnd >= endOffset) {
      host.logger.info('What this master had lost is there again.', { slave, reachedEnd })
    } else {
      host.logger.error(
        'What a slave has more of the log cannot be copied: this master goes on without it, and the ' +
          'logs part. The slave says what becomes of its own.',
        { ...fields, reachedEnd },
      )
    }
    return wasEmpty && !store.isEmpty ? slave : undefined
  } finally {
    client.close()
  }
}

/** What a broker knows beside its messages. */
interface Tables {
  readonly topics: TopicTable
  readonly groups: GroupTable
  readonly offsets: OffsetTable
  readonly delayOffsets: DelayOffsetTable
  readonly delayOffsetPath: string
}

/** Takes over the tables of a slave, as a slave takes over those of its master. */
export async function rescueTables(host: Host, slave: string, tables: Tables): Promise<void> {
  const { delayOffsetPath, delayOffsets, groups, offsets, topics } = tables
  const client = new RemotingClient(host)
  try {
    const its = await tablesOfMaster(client, slave)
    topics.follow(its.topics)
    groups.follow(its.groups)
    offsets.follow(its.offsets)
    delayOffsets.follow(its.delayOffsets)
    await writeJsonFile(host.disk, delayOffsetPath, delayOffsets.toJson(its.logOffset))
    host.logger.info('The topics, groups and offsets of this master are there again.', { slave })
  } catch (error) {
    host.logger.error(
      'The log of this master came from its slave, but its topics, groups and offsets did not: make ' +
        'the topics anew with mqadmin updateTopic, or stop this broker, empty its store and start it ' +
        'again.',
      { slave, error },
    )
  } finally {
    client.close()
  }
}

/** Goes on for as long as something comes. */
async function copyFrom(
  host: Host,
  config: BrokerConfig,
  store: Store,
  { endOffset, haAddress }: Rescuer,
): Promise<void> {
  const follower = new FollowerDriver(host, {
    log: followerLog(config, store),
    heartbeatMs: config.haSendHeartbeatInterval,
    silenceMs: config.haHousekeepingInterval,
    needsWelcome: true,
    maxCutBytes: 0,
    onDiverged: () => {},
  })
  follower.start()
  follower.follow(haAddress)
  const { written } = store.marks
  const timeoutMs = RESCUE_STALL_MS
  try {
    for (let before = -1; before < written.value; ) {
      before = written.value
      if (await written.reached(endOffset, { timeoutMs })) break
    }
  } finally {
    await follower.stop()
  }
}

/** Slaves of ours that can be reached; those of Apache do not tell where they send their log from. */
async function slavesOf(client: RemotingClient, config: BrokerConfig): Promise<Rescuer[]> {
  const { brokerName, nameServers } = config
  const lists = await Promise.all(
    nameServers.map((nameServer) => slaveAddresses(client, nameServer, brokerName)),
  )
  const addresses = [...new Set(lists.flat())]
  const found = await Promise.all(addresses.map((address) => rescuerAt(client, address)))
  return found.filter((rescuer) => rescuer !== undefined)
}

async function slaveAddresses(
  client: RemotingClient,
  nameServer: string,
  brokerName: string,
): Promise<string[]> {
  const timeoutMs = RESCUE_ASK_MS
  try {
    const { body } = await client.request(nameServer, GET_BROKER_CLUSTER_INFO, {}, { timeoutMs })
    const members = decodeClusterInfo(body).brokerAddrTable.get(brokerName)?.brokerAddrs ?? []
    return [...members].flatMap(([id, address]) => (id === MASTER_ID ? [] : [address]))
  } catch {
    // It is not there, or knows nothing: then it does not know of a slave either.
    return []
  }
}

async function rescuerAt(client: RemotingClient, address: string): Promise<Rescuer | undefined> {
  const timeoutMs = RESCUE_ASK_MS
  try {
    const { body } = await client.request(address, GET_BROKER_RUNTIME_INFO, {}, { timeoutMs })
    const figures = decodeKvTable(body)
    const haAddress = parseAddress(figures.get('haServerAddr') ?? '')
    const endOffset = Number(figures.get('commitLogMaxOffset'))
    if (haAddress === undefined || !Number.isSafeInteger(endOffset)) return undefined
    return { address, haAddress, endOffset }
  } catch {
    // It is gone, and cannot help.
    return undefined
  }
}
