/**
 * Tells the members of a consumer group when others come or go, and drops clients that fell silent.
 * Owns no state of its own: who is connected is in the client table.
 */
import { every, type Host, type Loop } from '@rockhopper/host'
import { NOTIFY_CONSUMER_IDS_CHANGED } from '@rockhopper/protocol'
import type { Connection } from '@rockhopper/remoting'
import type { BrokerConfig } from '../config.ts'
import { CLIENT_EXPIRY_MS, CLIENT_SWEEP_MS } from '../limits.ts'
import type { ClientTable } from '../tables/clients.ts'
import type { GroupTable } from '../tables/groups.ts'

export class Membership {
  readonly #host: Host
  readonly #config: BrokerConfig
  readonly #clients: ClientTable
  readonly #groups: GroupTable
  #sweep: Loop | undefined

  constructor(host: Host, config: BrokerConfig, clients: ClientTable, groups: GroupTable) {
    this.#host = host
    this.#config = config
    this.#clients = clients
    this.#groups = groups
  }

  start(): void {
    this.#sweep = every(
      this.#host.clock,
      CLIENT_SWEEP_MS,
      () => this.#dropSilent(),
      (error) => this.#host.logger.error('The sweep of silent clients failed.', { error }),
    )
  }

  async stop(): Promise<void> {
    await this.#sweep?.stop()
  }

  /** The members or subscriptions of a group changed: every member is to balance anew. */
  changed(group: string): void {
    const consumers = this.#clients.consumersOf(group)
    if (consumers === undefined || !this.#config.notifyConsumerIdsChangedEnable) return
    if (this.#groups.get(group)?.notifyConsumerIdsChangedEnable === false) return
    if (consumers.messageModel === 'BROADCASTING') return
    for (const connection of consumers.members.keys()) {
      connection.oneway(NOTIFY_CONSUMER_IDS_CHANGED, { consumerGroup: group })
    }
  }

  /** A connection is gone, and its client with it. */
  disconnected(connection: Connection): void {
    for (const group of this.#clients.removeConnection(connection)) this.changed(group)
  }

  #dropSilent(): void {
    const beforeMs = this.#host.clock.monotonicMs() - CLIENT_EXPIRY_MS
    for (const connection of this.#clients.silentSince(beforeMs)) {
      connection.destroy(`the client sent no heartbeat for ${CLIENT_EXPIRY_MS} ms`)
    }
  }
}
