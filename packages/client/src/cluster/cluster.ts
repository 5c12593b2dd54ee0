/**
 * The cluster as one client sees it: the routes of the topics it uses, asked for again every 30 s,
 * and the brokers' addresses that follow from them. Source: Apache class MQClientInstance;
 * `client.md` sections 1.5, 2.1 and 2.2.
 */
import { every, type Host, type Loop, type Timer } from '@rockhopper/host'
import {
  decodeTopicRoute,
  GET_ROUTEINFO_BY_TOPIC,
  responseCode,
  type Serialization,
  type TopicRouteData,
} from '@rockhopper/protocol'
import { ConnectionError, RemotingClient, type Router } from '@rockhopper/remoting'
import { ClientError } from '../errors.ts'
import { type Names, PLAIN_NAMES } from '../namespace/names.ts'
import { translationOf } from '../namespace/translation.ts'
import { BrokerLink } from './broker-link.ts'
import { NameServers } from './name-servers.ts'
import {
  type BrokerAddresses,
  brokerAddresses,
  isSameRoute,
  MASTER_ID,
  NEW_TOPIC_TEMPLATE,
  type Replica,
  replicaAddress,
  replicasOf,
} from './routes.ts'
import { SilenceWatch } from './silence-watch.ts'

/** How often the routes in use are asked for again (Apache: pollNameServerInterval). */
const ROUTE_POLL_MS = 30_000

/**
 * The same while a broker has no master, or was in the routes lately and is not now, or an answer named
 * a broker that is in no route.
 */
const MISSING_POLL_MS = 3_000
/** A broker that is in no route any more is expected back for so long. */
const MISSED_FOR_MS = 600_000
/** The same after no name server answered: meanwhile brokers may have come or gone. */
const POLL_AGAIN_MS = 2_000

export interface ClusterParts {
  readonly host: Host
  readonly nameServers: readonly string[]
  readonly serialization: Serialization
  /** Of topics and groups; the same on both sides when absent. */
  readonly names?: Names
  /** Namespace that is said beside the names. */
  readonly namespaceV2?: string | undefined
  /** Takes what brokers ask of this client. */
  readonly router: Router
  /** Told after the route of a topic in use has become another one. */
  readonly onRouteChanged: (topic: string) => void
  /** Told when a connection to a broker or name server is gone. */
  readonly onConnectionClosed: (address: string) => void
}

export class Cluster {
  readonly remoting: RemotingClient
  readonly nameServers: NameServers
  /** How applications and servers name topics and groups. */
  readonly names: Names
  readonly #parts: ClusterParts
  readonly #routes = new Map<string, TopicRouteData>()
  readonly #asking = new Map<string, Promise<TopicRouteData | undefined>>()
  readonly #links = new Map<string, BrokerLink>()
  #addresses: BrokerAddresses = new Map()
  /** Brokers that went out of the routes, and the monotonic time at which they did. */
  readonly #missedMs = new Map<string, number>()
  #poll: Loop | undefined
  #silenceWatch: SilenceWatch | undefined
  #planned: Timer | undefined
  #pollAgain: Timer | undefined
  #isPollFailing = false

  constructor(parts: ClusterParts) {
    this.#parts = parts
    this.names = parts.names ?? PLAIN_NAMES
    this.remoting = new RemotingClient(parts.host, {
      router: parts.router,
      onConnectionClosed: parts.onConnectionClosed,
      serialization: parts.serialization,
      translation: translationOf(this.names, parts.namespaceV2),
    })
    this.nameServers = new NameServers(parts.host, this.remoting, parts.nameServers)
  }

  /** Addresses of all brokers that serve a topic in use. */
  get addresses(): BrokerAddresses {
    return this.#addresses
  }

  /** Throws `ClientError` NAME_SERVER_UNREACHABLE when no name server answers. */
  async checkNameServers(): Promise<void> {
    await this.nameServers.call(GET_ROUTEINFO_BY_TOPIC, { topic: NEW_TOPIC_TEMPLATE })
  }

  /** Begins to ask for the routes in use every 30 s, and to look for dead connections. */
  start(): void {
    const { host } = this.#parts
    const { clock } = host
    this.#silenceWatch = new SilenceWatch({
      ...{ host, remoting: this.remoting },
      brokers: () => this.#brokers(),
      topic: () => this.#routes.keys().next().value ?? NEW_TOPIC_TEMPLATE,
    })
    this.#poll = every(
      clock,
      ROUTE_POLL_MS,
      () => this.#pollRoutes(),
      (error) => this.#pollFailed(error),
    )
  }

  /** The route of a topic as known at present. */
  route(topic: string): TopicRouteData | undefined {
    return this.#routes.get(topic)
  }

  /**
   * Asks a name server for the route of a topic and keeps it, so that it stays known and is renewed.
   * Undefined when the topic has none; then an older route stays. Throws `ClientError`.
   */
  findRoute(topic: string): Promise<TopicRouteData | undefined> {
    const asking = this.#asking.get(topic)
    if (asking !== undefined) return asking
    const question = this.#find(topic).finally(() => this.#asking.delete(topic))
    this.#asking.set(topic, question)
    return question
  }

  /** The route of a topic, asked for and not kept. Throws `ClientError`. */
  async askRoute(topic: string): Promise<TopicRouteData | undefined> {
    const header = { topic, acceptStandardJsonOnly: true }
    const answer = await this.nameServers.call(GET_ROUTEINFO_BY_TOPIC, header)
    if (answer.code === responseCode.SUCCESS) return decodeTopicRoute(answer.body)
    if (answer.code === responseCode.TOPIC_NOT_EXIST) return undefined
    throw new ClientError(
      'NAME_SERVER_UNREACHABLE',
      `the name server gave no route of "${topic}" but code ${answer.code} (${answer.remark})`,
      { retryable: true, hint: 'look at its log', responseCode: answer.code },
    )
  }

  /** Takes over a route that was found in another way. */
  keepRoute(topic: string, route: TopicRouteData): void {
    const known = this.#routes.get(topic)
    if (known !== undefined && isSameRoute(known, route)) return
    // Of two routes that name a broker, the one that changed last is believed: it comes last.
    this.#routes.delete(topic)
    this.#routes.set(topic, route)
    const before = this.#addresses
    this.#addresses = brokerAddresses(this.#routes.values())
    this.#noteMissed(before)
    for (const [brokerName, link] of this.#links) {
      link.moveTo(this.#addresses.get(brokerName)?.get(MASTER_ID))
    }
    this.#parts.onRouteChanged(topic)
  }

  /** The way to the master of a broker. */
  link(brokerName: string): BrokerLink {
    let link = this.#links.get(brokerName)
    if (link === undefined) {
      link = new BrokerLink(this.remoting, brokerName)
      link.moveTo(this.#addresses.get(brokerName)?.get(MASTER_ID))
      this.#links.set(brokerName, link)
    }
    return link
  }

  /**
   * Where to read from a broker: that replica, else another. Throws `ConnectionError` when none is
   * known.
   */
  replica(brokerName: string, brokerId: number): Replica {
    const replica = replicaAddress(this.#addresses, brokerName, brokerId)
    if (replica !== undefined) return replica
    throw new ConnectionError(brokerName, `the broker "${brokerName}" is in no route at present`)
  }

  /** All brokers of a name, the master first; none when no route names it. */
  replicas(brokerName: string): readonly Replica[] {
    return replicasOf(this.#addresses, brokerName)
  }

  /** Asks for all routes in a moment: a broker is missing in them. */
  renewRoutes(): void {
    if (this.#poll === undefined || this.#planned !== undefined) return
    this.#planned = this.#parts.host.clock.after(MISSING_POLL_MS, () => {
      this.#planned = undefined
      this.#poll?.wake()
    })
  }

  /** Stops asking, sends what is pending and closes every connection. */
  async close(): Promise<void> {
    const poll = this.#poll
    this.#poll = undefined
    this.#planned?.cancel()
    await poll?.stop()
    this.#pollAgain?.cancel()
    const watched = this.#silenceWatch?.stop()
    this.remoting.close()
    await watched
  }

  /** Addresses of all brokers in the routes. */
  *#brokers(): Generator<string> {
    for (const replicas of this.#addresses.values()) yield* replicas.values()
  }

  async #find(topic: string): Promise<TopicRouteData | undefined> {
    const route = await this.askRoute(topic)
    if (route !== undefined) this.keepRoute(topic, route)
    return route
  }

  async #pollRoutes(): Promise<void> {
    this.#pollAgain?.cancel()
    for (const topic of [...this.#routes.keys()]) await this.findRoute(topic)
    const brokers = [...this.#addresses.values()]
    const isIncomplete = brokers.some((replicas) => !replicas.has(MASTER_ID))
    if (isIncomplete || this.#isAnyMissed()) this.renewRoutes()
    this.#isPollFailing = false
  }

  /** A broker that a name server lost in a part of the network may be back any moment. */
  #noteMissed(before: BrokerAddresses): void {
    const nowMs = this.#parts.host.clock.monotonicMs()
    for (const brokerName of before.keys()) {
      if (!this.#addresses.has(brokerName)) this.#missedMs.set(brokerName, nowMs)
    }
    for (const brokerName of this.#addresses.keys()) this.#missedMs.delete(brokerName)
  }

  #isAnyMissed(): boolean {
    const sinceMs = this.#parts.host.clock.monotonicMs() - MISSED_FOR_MS
    for (const [brokerName, missedMs] of this.#missedMs) {
      if (missedMs < sinceMs) this.#missedMs.delete(brokerName)
    }
    return this.#missedMs.size > 0
  }

  #pollFailed(error: unknown): void {
    const { clock, logger } = this.#parts.host
    if (!this.#isPollFailing) {
      logger.warn('The routes of topics could not be renewed; it is tried again.', { error })
    }
    this.#isPollFailing = true
    this.#pollAgain = clock.after(POLL_AGAIN_MS, () => this.#poll?.wake())
  }
}
