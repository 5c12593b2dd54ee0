/**
 * Tells every name server what this broker serves: everything at the start, every 30 seconds and
 * after a change of many topics; only what changed, at once, after a change of topics.
 * Owns the connections to the name servers.
 * Source: Apache classes BrokerController, BrokerOuterAPI; `namesrv.md` section 3.5.
 */
import { every, type Host, type Loop } from '@rockhopper/host'
import {
  encodeRegisterBroker,
  permission,
  REGISTER_BROKER,
  registrationCrc32,
  type TopicConfig,
  type TopicConfigs,
  UNREGISTER_BROKER,
} from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import type { BrokerConfig } from '../config.ts'
import { isReadable, isWriteable } from '../rules/permission.ts'
import type { TopicTable } from '../tables/topics.ts'

const UNREGISTER_TIMEOUT_MS = 3_000

/** The first periodic registration comes soon, for a name server that was started a little later. */
const SECOND_REGISTRATION_MS = 10_000

/** What the broker calls itself. */
export interface BrokerIdentity {
  readonly brokerName: string
  readonly brokerAddr: string
  readonly haServerAddr: string
}

export class Registration {
  readonly #host: Host
  readonly #config: BrokerConfig
  readonly #identity: BrokerIdentity
  readonly #topics: TopicTable
  readonly #client: RemotingClient
  readonly #stopping = new AbortController()
  #loop: Loop | undefined
  #announcing: Promise<void> | undefined
  /** Name servers that the last registration did not reach: one warning, not one each period. */
  readonly #unreached = new Set<string>()

  constructor(host: Host, config: BrokerConfig, identity: BrokerIdentity, topics: TopicTable) {
    this.#host = host
    this.#config = config
    this.#identity = identity
    this.#topics = topics
    this.#client = new RemotingClient(host)
  }

  /** Registers for the first time and keeps the registration up to date from then on. */
  async start(): Promise<void> {
    if (this.#config.nameServers.length === 0) return
    this.#topics.takeChanges()
    await this.#registerAll()
    const { registerNameServerPeriod } = this.#config
    this.#loop = every(
      this.#host.clock,
      registerNameServerPeriod,
      () => this.#registerAll(),
      (error) => this.#host.logger.error('The periodic registration failed.', { error }),
      Math.min(SECOND_REGISTRATION_MS, registerNameServerPeriod),
    )
    this.#announcing = this.#announceChanges()
  }

  /** Takes this broker out of the routes, as far as name servers can be reached. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#loop?.stop()
    await this.#announcing
    await Promise.all(this.#config.nameServers.map((address) => this.#unregister(address)))
    this.#client.close()
  }

  /** Registers changed topics as soon as the present turn is over, many at a time if they are many. */
  async #announceChanges(): Promise<void> {
    const { revision } = this.#topics
    let announced = revision.value
    while (await revision.reached(announced + 1, { signal: this.#stopping.signal })) {
      announced = revision.value
      const changed = this.#topics.takeChanges()
      // A name server refuses a first registration of exactly one topic: it may have lost the rest.
      if (this.#unreached.size > 0) await this.#registerAll()
      else if (changed.topics.size > 0) await this.#register(changed)
    }
  }

  #registerAll(): Promise<void> {
    return this.#register(this.#topics.configs)
  }

  async #register({ dataVersion, topics }: TopicConfigs): Promise<void> {
    const masked = [...topics].map(([name, topic]) => [name, this.#masked(topic)] as const)
    const body = encodeRegisterBroker({ dataVersion, topics: new Map(masked) })
    await Promise.all(this.#config.nameServers.map((address) => this.#registerAt(address, body)))
  }

  async #registerAt(address: string, body: Buffer): Promise<void> {
    const { brokerClusterName, brokerId, registerBrokerTimeoutMills } = this.#config
    const header = {
      ...this.#identity,
      clusterName: brokerClusterName,
      brokerId,
      enableActingMaster: false,
      compressed: false,
      bodyCrc32: registrationCrc32(body),
    }
    try {
      await this.#client.request(address, REGISTER_BROKER, header, {
        body: [body],
        timeoutMs: registerBrokerTimeoutMills,
      })
      if (this.#unreached.delete(address)) {
        this.#host.logger.info('A name server knows this broker again.', { nameServer: address })
      }
    } catch (error) {
      if (this.#unreached.has(address)) return
      this.#unreached.add(address)
      this.#host.logger.warn(
        'A name server does not know this broker: clients that ask it find no route. ' +
          'The broker tries again every few seconds.',
        { nameServer: address, error },
      )
    }
  }

  async #unregister(address: string): Promise<void> {
    const { brokerName, brokerAddr } = this.#identity
    const { brokerClusterName: clusterName, brokerId } = this.#config
    if (!this.#client.isConnected(address)) return
    try {
      await this.#client.request(
        address,
        UNREGISTER_BROKER,
        { brokerName, brokerAddr, clusterName, brokerId },
        { timeoutMs: UNREGISTER_TIMEOUT_MS },
      )
    } catch (error) {
      this.#host.logger.warn('A name server was not told that this broker stops.', {
        nameServer: address,
        error,
      })
    }
  }

  /** A broker that may not be read or written registers its topics so. */
  #masked(topic: TopicConfig): TopicConfig {
    const { brokerPermission } = this.#config
    if (isReadable(brokerPermission) && isWriteable(brokerPermission)) return topic
    return { ...topic, perm: topic.perm & (brokerPermission | permission.inherit) }
  }
}
