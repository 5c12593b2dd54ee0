/**
 * Who serves which topic right now: the only writer of routing state. It is told of registrations,
 * lost connections and the time, and knows neither sockets nor clocks.
 * Source: Apache class RouteInfoManager; `namesrv.md` sections 2 to 8.
 *
 * It owns the brokers by name, their names by cluster, the live brokers and the topics. An address
 * stands under one broker name and one id at a time, and whatever stands there is live.
 */
import {
  type BrokerData,
  type ClusterInfo,
  type DataVersion,
  permission,
  type QueueData,
  type RegisterBrokerBody,
  sameDataVersion,
  type TopicConfig,
  type TopicRouteData,
} from '@rockhopper/protocol'
import {
  DEFAULT_BROKER_TIMEOUT_MS,
  MAX_BROKERS,
  MAX_FILTER_SERVERS,
  MAX_NAME_CHARS,
  MAX_TOPIC_ROWS,
} from './limits.ts'
import { type LiveBroker, LiveBrokers } from './live-brokers.ts'
import { TopicTable } from './topic-table.ts'

const MASTER_ID = 0

interface BrokerIdentity {
  readonly clusterName: string
  readonly brokerName: string
  readonly brokerAddr: string
}

export interface Registration<L extends object> extends BrokerIdentity {
  readonly brokerId: number
  readonly haServerAddr: string | undefined
  /** Silence after which the broker is dropped; 120 s when undefined. */
  readonly timeoutMs: number | undefined
  /** Undefined from brokers before 5.0, whose slaves never stand in for a master. */
  readonly enableActingMaster: boolean | undefined
  readonly zoneName: string | undefined
  readonly body: RegisterBrokerBody
  readonly link: L
}

interface Master {
  readonly brokerAddr: string
  readonly haServerAddr: string | undefined
}

export type Registered =
  | {
      readonly outcome: 'registered'
      /** Whether it was unknown or dropped before. */
      readonly isNew: boolean
      /** For a slave whose master is alive. */
      readonly master: Master | undefined
    }
  /** Another address holds the id with a newer epoch; this one was forgotten. */
  | { readonly outcome: 'superseded'; readonly holder: string }
  | { readonly outcome: Refused }

/**
 * `full-registration-first`: the body has one topic and the broker is unknown, so this is news of a
 * change that came before the whole.
 */
export type Refused =
  | 'full-registration-first'
  | 'oversized'
  | 'too-many-brokers'
  | 'too-many-topics'

/** Brokers that share a name: a master and its slaves. */
interface BrokerGroup {
  readonly cluster: string
  readonly brokerName: string
  /** Broker id to address. */
  readonly addresses: Map<number, string>
  enableActingMaster: boolean
  zoneName: string | undefined
}

export class RouteTable<L extends object> {
  readonly #groups = new Map<string, BrokerGroup>()
  readonly #clusters = new Map<string, Set<string>>()
  readonly #live = new LiveBrokers<L>()
  readonly #topics = new TopicTable()

  /**
   * Takes a broker's word about itself. `nowMs` is monotonic. With `dropMissingTopics`, topics of
   * the broker that a full registration does not name are removed.
   */
  register(told: Registration<L>, nowMs: number, dropMissingTopics = false): Registered {
    const holder = this.#newerHolder(told)
    if (holder !== undefined) {
      this.unregister(told)
      return { outcome: 'superseded', holder }
    }
    const refusal = this.#refusal(told)
    if (refusal !== undefined) return { outcome: refusal }
    this.#leaveOtherPlaces(told)
    const known = this.#live.get(told.clusterName, told.brokerAddr)
    const { group, isFirst } = this.#join(told)
    const isChanged =
      isFirst || known === undefined || !sameDataVersion(known.dataVersion, told.body.dataVersion)
    if (mayTellTopics(told, group)) {
      if (dropMissingTopics) this.#dropMissingTopics(told)
      this.#takeTopics(told, isChanged)
    }
    this.#live.put(liveBroker(told, known), nowMs)
    return { outcome: 'registered', isNew: known === undefined, master: this.#masterFor(told) }
  }

  /** Forgets an address; harmless when it is unknown. Returns what was known of it. */
  unregister({ clusterName, brokerName, brokerAddr }: BrokerIdentity): LiveBroker<L> | undefined {
    const known = this.#live.remove(clusterName, brokerAddr)
    this.#removeAddress(known?.brokerName ?? brokerName, brokerAddr)
    return known
  }

  /** Forgets the brokers whose last registration came on this connection, and returns them. */
  connectionClosed(link: L): LiveBroker<L>[] {
    const lost = this.#live.on(link)
    for (const broker of lost) this.unregister(broker)
    return lost
  }

  /** Forgets the brokers that were silent for too long at `nowMs`, and returns them. */
  expire(nowMs: number): LiveBroker<L>[] {
    const lost = this.#live.silent(nowMs)
    for (const broker of lost) this.unregister(broker)
    return lost
  }

  /** Notes a sign of life of a broker; nothing happens when it is unknown. */
  heard(clusterName: string, brokerAddr: string, nowMs: number): void {
    this.#live.heard(clusterName, brokerAddr, nowMs)
  }

  /** The version of the topics that a broker registered last; undefined when it is unknown. */
  dataVersionOf(clusterName: string, brokerAddr: string): DataVersion | undefined {
    return this.#live.get(clusterName, brokerAddr)?.dataVersion
  }

  /** Where a topic lives; undefined when no broker that is known has it. */
  route(topic: string): TopicRouteData | undefined {
    const queueDatas = this.#topics.queuesOf(topic)
    const brokerDatas = queueDatas.flatMap(({ brokerName }) => this.#brokerData(brokerName) ?? [])
    if (brokerDatas.length === 0) return undefined
    const mappings = this.#topics.mappingsOf(topic)
    return {
      brokerDatas,
      filterServerTable: this.#filterServers(brokerDatas),
      queueDatas,
      ...(mappings === undefined ? {} : { topicQueueMappingByBroker: mappings }),
    }
  }

  clusterInfo(): ClusterInfo {
    const brokers = [...this.#groups.values()].map((group) => brokerDataOf(group))
    return {
      brokerAddrTable: new Map(brokers.map((broker) => [broker.brokerName, broker])),
      clusterAddrTable: new Map(
        [...this.#clusters].map(([cluster, brokerNames]) => [cluster, [...brokerNames]]),
      ),
    }
  }

  topicNames(): string[] {
    return this.#topics.names()
  }

  /** Topics with a queue on any broker of a cluster; none when the cluster is unknown. */
  topicsOfCluster(clusterName: string): string[] {
    const brokerNames = [...(this.#clusters.get(clusterName) ?? [])]
    return [...new Set(brokerNames.flatMap((name) => this.#topics.topicsOf(name)))]
  }

  /** Names of clusters and brokers, which serve as topics, and the address of some broker. */
  systemTopics(): { readonly names: string[]; readonly brokerAddr: string | undefined } {
    const [someGroup] = this.#groups.values()
    const [brokerAddr] = someGroup?.addresses.values() ?? []
    return { names: [...this.#clusters.keys(), ...this.#groups.keys()], brokerAddr }
  }

  /** Forgets a topic, on all brokers or on those of one cluster. A broker may tell of it again. */
  deleteTopic(topic: string, clusterName?: string): void {
    if (clusterName === undefined) {
      this.#topics.removeTopic(topic)
      return
    }
    for (const brokerName of this.#clusters.get(clusterName) ?? []) {
      this.#topics.remove(topic, brokerName)
    }
  }

  /** Lasts until the broker registers a changed table. Returns the number of its topics. */
  wipeWritePermission(brokerName: string): number {
    return this.#topics.wipeWrite(brokerName)
  }

  /** Lasts until the broker registers a changed table. Returns the number of its topics. */
  addWritePermission(brokerName: string): number {
    return this.#topics.addWrite(brokerName)
  }

  /** The live address that holds the id of the told one, by a newer epoch. */
  #newerHolder(told: Registration<L>): string | undefined {
    const { clusterName, brokerName, brokerId, brokerAddr, body } = told
    const holder = this.#groups.get(brokerName)?.addresses.get(brokerId)
    if (holder === undefined || holder === brokerAddr) return undefined
    const live = this.#live.get(clusterName, holder)
    if (live === undefined) return undefined
    return live.dataVersion.stateVersion > body.dataVersion.stateVersion ? holder : undefined
  }

  #refusal(told: Registration<L>): Refused | undefined {
    const { clusterName, brokerName, brokerId, brokerAddr, body } = told
    const isHeld = this.#groups.get(brokerName)?.addresses.has(brokerId) === true
    if (!isHeld && body.topics.size === 1) return 'full-registration-first'
    const isKnown = this.#live.get(clusterName, brokerAddr) !== undefined
    if (!isKnown && this.#live.size >= MAX_BROKERS) return 'too-many-brokers'
    if (isOversized(told)) return 'oversized'
    return this.#hasRoom(told) ? undefined : 'too-many-topics'
  }

  #hasRoom({ brokerName, body }: Registration<L>): boolean {
    let added = 0
    for (const topic of body.topics.keys()) if (!this.#topics.has(topic, brokerName)) added++
    for (const { currIdMap } of body.queueMappings.values()) added += currIdMap.size
    return this.#topics.size + added <= MAX_TOPIC_ROWS
  }

  /** A broker that came back under another id, name or cluster is not in two places. */
  #leaveOtherPlaces({ clusterName, brokerName, brokerId, brokerAddr }: Registration<L>): void {
    for (const cluster of this.#clusters.keys()) {
      const known = this.#live.get(cluster, brokerAddr)
      if (known === undefined) continue
      const isOtherName = cluster === clusterName && known.brokerName !== brokerName
      const isOtherCluster = cluster !== clusterName && known.brokerName === brokerName
      if (isOtherName || isOtherCluster) this.unregister(known)
    }
    const addresses = this.#groups.get(brokerName)?.addresses ?? new Map<number, string>()
    for (const [id, address] of addresses) {
      if (address === brokerAddr && id !== brokerId) addresses.delete(id)
    }
  }

  /** Puts the broker into its group and cluster; `isFirst` when nobody held its id before. */
  #join(told: Registration<L>): { group: BrokerGroup; isFirst: boolean } {
    const { clusterName, brokerName, brokerId, brokerAddr } = told
    const brokerNames = this.#clusters.get(clusterName) ?? new Set<string>()
    this.#clusters.set(clusterName, brokerNames.add(brokerName))
    const group: BrokerGroup = this.#groups.get(brokerName) ?? {
      cluster: clusterName,
      brokerName,
      addresses: new Map(),
      enableActingMaster: false,
      zoneName: undefined,
    }
    this.#groups.set(brokerName, group)
    const isFirst = !group.addresses.has(brokerId)
    group.addresses.set(brokerId, brokerAddr)
    group.enableActingMaster = told.enableActingMaster ?? false
    group.zoneName = told.zoneName
    return { group, isFirst }
  }

  /** A body of one topic is the news of a change: it says nothing about all others. */
  #dropMissingTopics({ brokerName, body }: Registration<L>): void {
    if (body.topics.size <= 1 || body.queueMappings.size > 0) return
    for (const topic of this.#topics.topicsOf(brokerName)) {
      if (!body.topics.has(topic)) this.#topics.remove(topic, brokerName)
    }
  }

  #takeTopics(told: Registration<L>, isChanged: boolean): void {
    const { brokerName, brokerId, body } = told
    const isActing = brokerId !== MASTER_ID && told.enableActingMaster === true
    const lostBits = isActing ? permission.write : 0
    for (const config of body.topics.values()) {
      if (!isChanged && this.#topics.has(config.topicName, brokerName)) continue
      this.#topics.put(config.topicName, queueDataOf(brokerName, config, lostBits))
    }
    if (!isChanged) return
    for (const [topic, mapping] of body.queueMappings) this.#topics.map(topic, mapping)
  }

  #masterFor({ clusterName, brokerName, brokerId }: Registration<L>): Master | undefined {
    if (brokerId === MASTER_ID) return undefined
    const brokerAddr = this.#groups.get(brokerName)?.addresses.get(MASTER_ID)
    if (brokerAddr === undefined) return undefined
    const live = this.#live.get(clusterName, brokerAddr)
    return live && { brokerAddr, haServerAddr: live.haServerAddr }
  }

  #removeAddress(brokerName: string, brokerAddr: string): void {
    const group = this.#groups.get(brokerName)
    if (group === undefined) return
    for (const [id, address] of group.addresses) {
      if (address === brokerAddr) group.addresses.delete(id)
    }
    if (group.addresses.size === 0) this.#removeGroup(brokerName)
    else if (group.enableActingMaster && !group.addresses.has(MASTER_ID)) {
      this.#topics.wipeWrite(brokerName)
    }
  }

  #removeGroup(brokerName: string): void {
    this.#groups.delete(brokerName)
    this.#topics.removeBroker(brokerName)
    for (const [cluster, brokerNames] of this.#clusters) {
      if (brokerNames.delete(brokerName) && brokerNames.size === 0) this.#clusters.delete(cluster)
    }
  }

  #brokerData(brokerName: string): BrokerData | undefined {
    const group = this.#groups.get(brokerName)
    return group && brokerDataOf(group)
  }

  #filterServers(brokerDatas: readonly BrokerData[]): Map<string, readonly string[]> {
    const servers = new Map<string, readonly string[]>()
    for (const { cluster, brokerAddrs } of brokerDatas) {
      for (const brokerAddr of brokerAddrs.values()) {
        const ofBroker = this.#live.get(cluster, brokerAddr)?.filterServers ?? []
        if (ofBroker.length > 0) servers.set(brokerAddr, ofBroker)
      }
    }
    return servers
  }
}

/** Whether a text in it is too long to be a name, or there are too many filter servers. */
function isOversized<L extends object>(told: Registration<L>): boolean {
  const { clusterName, brokerName, brokerAddr, haServerAddr = '', zoneName = '', body } = told
  const { filterServers = [], queueMappings, topics } = body
  if (filterServers.length > MAX_FILTER_SERVERS) return true
  const isLong = (text: string): boolean => text.length > MAX_NAME_CHARS
  if ([clusterName, brokerName, brokerAddr, haServerAddr, zoneName].some(isLong)) return true
  if (filterServers.some(isLong)) return true
  for (const { topicName } of topics.values()) if (isLong(topicName)) return true
  for (const { bname, scope, topic } of queueMappings.values()) {
    if (isLong(bname) || isLong(scope) || isLong(topic)) return true
  }
  return false
}

/** Topics are taken from the master, and from the first slave when all brokers are 5.x. */
function mayTellTopics<L extends object>(told: Registration<L>, group: BrokerGroup): boolean {
  if (told.brokerId === MASTER_ID) return true
  if (told.enableActingMaster === undefined) return false
  return told.brokerId === Math.min(...group.addresses.keys())
}

function liveBroker<L extends object>(
  told: Registration<L>,
  known: LiveBroker<L> | undefined,
): LiveBroker<L> {
  return {
    clusterName: told.clusterName,
    brokerName: told.brokerName,
    brokerId: told.brokerId,
    brokerAddr: told.brokerAddr,
    haServerAddr: told.haServerAddr,
    dataVersion: told.body.dataVersion,
    filterServers: told.body.filterServers ?? known?.filterServers ?? [],
    timeoutMs: told.timeoutMs ?? DEFAULT_BROKER_TIMEOUT_MS,
    link: told.link,
  }
}

function queueDataOf(brokerName: string, config: TopicConfig, lostBits: number): QueueData {
  return {
    brokerName,
    perm: config.perm & ~lostBits,
    readQueueNums: config.readQueueNums,
    topicSysFlag: config.topicSysFlag,
    writeQueueNums: config.writeQueueNums,
  }
}

function brokerDataOf(group: BrokerGroup): BrokerData {
  return {
    brokerAddrs: new Map(group.addresses),
    brokerName: group.brokerName,
    cluster: group.cluster,
    enableActingMaster: group.enableActingMaster,
    ...(group.zoneName === undefined ? {} : { zoneName: group.zoneName }),
  }
}
