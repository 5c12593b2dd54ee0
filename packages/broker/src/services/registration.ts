/**
 * Tells every name server what this broker serves: everything at the start, every 30 seconds, after
 * a change of several topics, and soon after a name server was lost; at once the one topic that has
 * changed. A slave learns in return where its master is. Owns the connections to the name servers.
 * Source: Apache classes BrokerController, BrokerOuterAPI; `namesrv.md` section 3.5.
 */
import { every, type Host, type Loop, type Timer } from '@rockhopper/host'
import {
  encodeRegisterBroker,
  type Header,
  permission,
  REGISTER_BROKER,
  registrationCrc32,
  type TopicConfig,
  type TopicConfigs,
  UNREGISTER_BROKER,
} from '@rockhopper/protocol'
import { RemotingClient, TimeoutError } from '@rockhopper/remoting'
import type { BrokerConfig } from '../config.ts'
import { isReadable, isWriteable } from '../rules/permission.ts'
import type { MasterAddress } from '../tables/master-address.ts'
import type { TopicTable } from '../tables/topics.ts'

const UNREGISTER_TIMEOUT_MS = 3_000

/** The first periodic registration comes soon, for a name server that was started a little later. */
const SECOND_REGISTRATION_MS = 10_000

/** Pause before the next try when a name server did not answer, or closed its connection. */
const REGISTER_AGAIN_MS = 2_000

type RegisterAnswer = Header<typeof REGISTER_BROKER.tables.answer>

/** What the broker calls itself. */
export interface BrokerIdentity {
  readonly brokerName: string
  readonly brokerAddr: string
  readonly haServerAddr: string
}

export interface RegistrationParts {
  readonly config: BrokerConfig
  readonly identity: BrokerIdentity
  readonly topics: TopicTable
  /** Told where the master is; undefined at a master. */
  readonly master: MasterAddress | undefined
}

export class Registration {
  readonly #host: Host
  readonly #config: BrokerConfig
  readonly #identity: BrokerIdentity
  readonly #topics: TopicTable
  readonly #master: MasterAddress | undefined
  readonly #client: RemotingClient
  readonly #stopping = new AbortController()
  #loop: Loop | undefined
  #planned: Timer | undefined
  #announcing: Promise<void> | undefined
  /** Name servers that the last registration did not reach: one warning, not one each period. */
  readonly #unreached = new Set<string>()

  constructor(host: Host, { config, identity, master, topics }: RegistrationParts) {
    this.#host = host
    this.#config = config
    this.#identity = identity
    this.#master = master
    this.#topics = topics
    // A name server that ends forgets its brokers.
    this.#client = new RemotingClient(host, { onConnectionClosed: () => this.#registerSoon() })
  }

  /** Registers for the first time and keeps the registration up to date from then on. */
  async start(): Promise<void> {
    if (this.#config.nameServers.length === 0) return
    this.#topics.takeChanges()
    const announced = this.#topics.revision.value
    await this.#registerAll()
    const { registerNameServerPeriod } = this.#config
    this.#loop = every(
      this.#host.clock,
      registerNameServerPeriod,
      () => this.#registerAll(),
      (error) => this.#host.logger.error('The periodic registration failed.', { error }),
      Math.min(SECOND_REGISTRATION_MS, registerNameServerPeriod),
    )
    this.#announcing = this.#announceChanges(announced)
  }

  /** Takes this broker out of the routes, as far as name servers can be reached. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#planned?.cancel()
    await this.#loop?.stop()
    await this.#announcing
    await Promise.all(this.#config.nameServers.map((address) => this.#unregister(address)))
    this.#client.close()
  }

  /** Registers changed topics as soon as the present turn is over. */
  async #announceChanges(registered: number): Promise<void> {
    const { revision } = this.#topics
    let announced = registered
    while (await revision.reached(announced + 1, { signal: this.#stopping.signal })) {
      announced = revision.value
      const changed = this.#topics.takeChanges()
      // Name servers know that a body with exactly one topic is not the whole: one that has
      // forgotten this broker refuses it, and none takes the other topics for deleted.
      if (this.#unreached.size > 0 || changed.topics.size > 1) await this.#registerAll()
      else if (changed.topics.size === 1) await this.#register(changed)
    }
  }

  #registerSoon(): void {
    if (this.#planned !== undefined || this.#stopping.signal.aborted) return
    this.#planned = this.#host.clock.after(REGISTER_AGAIN_MS, () => {
      this.#planned = undefined
      this.#loop?.wake()
    })
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
      const options = { body: [body], timeoutMs: registerBrokerTimeoutMills }
      const answer = await this.#client.request(address, REGISTER_BROKER, header, options)
      this.#hearOfMaster(answer.header())
      if (this.#unreached.delete(address)) {
        this.#host.logger.info('A name server knows this broker again.', { nameServer: address })
      }
    } catch (error) {
      // A connection on which not even this is answered may be dead: the next try makes a new one.
      if (error instanceof TimeoutError) this.#client.disconnect(address, error.message)
      this.#registerSoon()
      if (this.#unreached.has(address)) return
      this.#unreached.add(address)
      this.#host.logger.warn(
        'A name server does not know this broker: clients that ask it find no route. ' +
          'The broker tries again every few seconds.',
        { nameServer: address, error },
      )
    }
  }

  /** A slave whose master is not there yet asks again soon: the two are often started together. */
  #hearOfMaster({ haServerAddr: haAddress, masterAddr: address }: RegisterAnswer): void {
    if (this.#master === undefined) return
    if (address !== undefined && address !== '') this.#master.tell({ address, haAddress })
    else if (this.#master.place === undefined) this.#registerSoon()
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
