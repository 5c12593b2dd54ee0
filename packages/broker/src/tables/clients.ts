/**
 * Who is connected, in which groups, and what it subscribes to. Owns nothing on disk: clients tell
 * it anew each 30 seconds. A client is gone when its connection closes, when it says so, or when it
 * was silent for two minutes.
 */
import type { Clock } from '@rockhopper/host'
import type {
  ConsumeFromWhere,
  ConsumerData,
  ConsumeType,
  MessageModel,
  SubscriptionData,
} from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'

/** One client in one group. */
export interface Member {
  readonly clientId: string
  readonly connection: Connection
  readonly language: number
  readonly version: number
  /** Monotonic time of its last heartbeat, in milliseconds. */
  readonly seenMs: number
  /** The same, ms since 1970. */
  readonly seenAtMs: number
}

/** What a connection tells of its client. */
export type Identity = Omit<Member, 'seenMs' | 'seenAtMs'>

/** One client in a consumer group. */
export interface ConsumerMember extends Member {
  /** What it last said of itself and its subscriptions; undefined when it left them out. */
  readonly announced: ConsumerData | undefined
}

/** A consumer group as its members describe it. */
export interface ConsumerGroup {
  readonly group: string
  /** Those that are there longest come first. */
  readonly members: ReadonlyMap<Connection, ConsumerMember>
  readonly subscriptions: ReadonlyMap<string, SubscriptionData>
  readonly consumeType: ConsumeType
  readonly messageModel: MessageModel
  readonly consumeFromWhere: ConsumeFromWhere
}

interface MutableConsumerGroup extends ConsumerGroup {
  readonly members: Map<Connection, ConsumerMember>
  readonly subscriptions: Map<string, SubscriptionData>
  consumeType: ConsumeType
  messageModel: MessageModel
  consumeFromWhere: ConsumeFromWhere
}

export class ClientTable {
  readonly #clock: Clock
  readonly #producers = new Map<string, Map<Connection, Member>>()
  /** Of each client that is a producer the newest connection. */
  readonly #producerConnections = new Map<string, Connection>()
  readonly #consumers = new Map<string, MutableConsumerGroup>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  producersOf(group: string): Member[] {
    return [...(this.#producers.get(group)?.values() ?? [])]
  }

  /** Where a client is to be found that is in some producer group; undefined when it is in none. */
  producer(clientId: string): Connection | undefined {
    return this.#producerConnections.get(clientId)
  }

  consumersOf(group: string): ConsumerGroup | undefined {
    return this.#consumers.get(group)
  }

  /** Groups with a live member that subscribes to the topic. */
  groupsSubscribing(topic: string): string[] {
    return [...this.#consumers.values()]
      .filter(({ subscriptions }) => subscriptions.has(topic))
      .map(({ group }) => group)
  }

  /** All producer groups with their members. */
  producers(): IterableIterator<[string, ReadonlyMap<Connection, Member>]> {
    return this.#producers.entries()
  }

  consumers(): IterableIterator<ConsumerGroup> {
    return this.#consumers.values()
  }

  /** A client of a consumer group by its id. */
  consumer(group: string, clientId: string): ConsumerMember | undefined {
    const members = [...(this.#consumers.get(group)?.members.values() ?? [])]
    return members.findLast((member) => member.clientId === clientId)
  }

  /** The id of the client behind a connection; undefined when it sent no heartbeat. */
  idOf(connection: Connection): string | undefined {
    const groups = [...this.#consumers.values()].map(({ members }) => members)
    return [...groups, ...this.#producers.values()]
      .find((members) => members.has(connection))
      ?.get(connection)?.clientId
  }

  putProducer(group: string, member: Identity): void {
    const members = this.#producers.get(group) ?? new Map<Connection, Member>()
    members.set(member.connection, this.#seen(member))
    this.#producers.set(group, members)
    this.#producerConnections.set(member.clientId, member.connection)
  }

  /**
   * Registers a consumer with its subscriptions; `undefined` subscriptions leave what is known.
   * Returns whether the members or the subscriptions of the group changed.
   */
  putConsumer(data: ConsumerData, member: Identity, withSubscriptions: boolean): boolean {
    const group = this.#consumers.get(data.groupName) ?? this.#newGroup(data)
    group.consumeType = data.consumeType
    group.messageModel = data.messageModel
    group.consumeFromWhere = data.consumeFromWhere
    const known = group.members.get(member.connection)
    const announced = withSubscriptions ? data : known?.announced
    group.members.set(member.connection, { ...this.#seen(member), announced })
    const joined = known?.clientId !== member.clientId
    const changed = withSubscriptions && updateSubscriptions(group, data.subscriptionDataSet)
    return joined || changed
  }

  removeProducer(group: string, connection: Connection): void {
    const members = this.#producers.get(group)
    const member = members?.get(connection)
    if (members === undefined || member === undefined) return
    members.delete(connection)
    if (members.size === 0) this.#producers.delete(group)
    const { clientId } = member
    if (this.#producerConnections.get(clientId) !== connection) return
    const isLeft = [...this.#producers.values()].every((others) => !others.has(connection))
    if (isLeft) this.#producerConnections.delete(clientId)
  }

  /** Returns whether the group lost a member. */
  removeConsumer(group: string, connection: Connection): boolean {
    const consumers = this.#consumers.get(group)
    if (consumers === undefined || !consumers.members.delete(connection)) return false
    if (consumers.members.size === 0) this.#consumers.delete(group)
    return true
  }

  /** Takes a connection out of all groups; returns the consumer groups that lost a member. */
  removeConnection(connection: Connection): string[] {
    for (const group of [...this.#producers.keys()]) this.removeProducer(group, connection)
    return [...this.#consumers.keys()].filter((group) => this.removeConsumer(group, connection))
  }

  /** Connections with a member that sent no heartbeat since `beforeMs` of the monotonic clock. */
  silentSince(beforeMs: number): Set<Connection> {
    const tables = [...this.#producers.values()]
    tables.push(...[...this.#consumers.values()].map(({ members }) => members))
    const members = tables.flatMap((table) => [...table.values()])
    return new Set(members.filter(({ seenMs }) => seenMs < beforeMs).map((m) => m.connection))
  }

  #seen(member: Identity): Member {
    const { clientId, connection, language, version } = member
    const seenMs = this.#clock.monotonicMs()
    return { clientId, connection, language, version, seenMs, seenAtMs: this.#clock.nowMs() }
  }

  #newGroup(data: ConsumerData): MutableConsumerGroup {
    const group: MutableConsumerGroup = {
      group: data.groupName,
      members: new Map(),
      subscriptions: new Map(),
      consumeType: data.consumeType,
      messageModel: data.messageModel,
      consumeFromWhere: data.consumeFromWhere,
    }
    this.#consumers.set(data.groupName, group)
    return group
  }
}

/** The newer subscription wins, and a topic that the newest heartbeat does not name is dropped. */
function updateSubscriptions(
  group: MutableConsumerGroup,
  announced: readonly SubscriptionData[],
): boolean {
  let changed = false
  for (const subscription of announced) {
    const known = group.subscriptions.get(subscription.topic)
    if (known !== undefined && known.subVersion >= subscription.subVersion) continue
    group.subscriptions.set(subscription.topic, subscription)
    changed ||= known?.subString !== subscription.subString
  }
  const topics = new Set(announced.map(({ topic }) => topic))
  for (const topic of [...group.subscriptions.keys()]) {
    if (topics.has(topic)) continue
    group.subscriptions.delete(topic)
    changed = true
  }
  return changed
}
