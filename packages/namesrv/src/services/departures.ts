/**
 * Brokers that are gone without a word: their connection closed, or nothing was heard for too long.
 * Source: Apache classes BrokerHousekeepingService, RouteInfoManager; `namesrv.md` section 4.4.
 */
import type { Clock, Logger } from '@rockhopper/host'
import type { Connection } from '@rockhopper/remoting'
import type { LiveBroker } from '../live-brokers.ts'
import type { RouteTable } from '../route-table.ts'

export class Departures {
  readonly #routes: RouteTable<Connection>
  readonly #clock: Clock
  readonly #logger: Logger

  constructor(routes: RouteTable<Connection>, clock: Clock, logger: Logger) {
    this.#routes = routes
    this.#clock = clock
    this.#logger = logger
  }

  /** Forgets the brokers that registered on a connection which is gone. */
  connectionClosed(connection: Connection): void {
    for (const broker of this.#routes.connectionClosed(connection)) {
      this.#report(broker, 'its connection closed')
    }
  }

  /** Forgets the brokers that were silent for too long, and closes their connections. */
  dropSilent(): void {
    for (const broker of this.#routes.expire(this.#clock.monotonicMs())) {
      this.#report(broker, `nothing was heard of it for ${broker.timeoutMs} ms`)
      broker.link.destroy('the broker on it was silent for too long')
    }
  }

  #report(broker: LiveBroker<Connection>, reason: string): void {
    const { clusterName, brokerName, brokerAddr, brokerId } = broker
    this.#logger.warn('A broker is gone.', {
      clusterName,
      brokerName,
      brokerAddr,
      brokerId,
      reason,
    })
  }
}
