/**
 * A consumer among the brokers: its view of the cluster, and the heartbeats by which brokers know it
 * as a member of its group. Source: Apache class MQClientInstance; `client.md` sections 2.3 and 2.4.
 * Owns both, from start to end.
 */
import type {
  ConsumerData,
  MessageModel,
  SubscriptionData,
  ConsumeFromWhere as WireFromWhere,
} from '@rockhopper/protocol'
import type { Router } from '@rockhopper/remoting'
import type { ClientConfig, ConsumeFromWhere } from '../config.ts'
import { Cluster } from './cluster.ts'
import { Heartbeats } from './heartbeats.ts'

export interface GroupPresenceParts {
  readonly config: ClientConfig
  readonly clientId: string
  readonly consumeType: ConsumerData['consumeType']
  readonly messageModel: MessageModel
  readonly consumeFromWhere: ConsumeFromWhere
  readonly subscriptions: () => readonly SubscriptionData[]
  /** Takes what brokers ask. */
  readonly router: Router
  /** Told after the route of a topic in use has become another one. */
  readonly onRouteChanged: (topic: string) => void
  /** Told when a connection to a broker or name server is gone. */
  readonly onConnectionClosed?: (address: string) => void
}

export class GroupPresence {
  readonly cluster: Cluster
  readonly heartbeats: Heartbeats
  readonly #parts: GroupPresenceParts
  /** Whether brokers were told of a subscription: then they hear of the next ones, and of none. */
  #isMember = false

  constructor(parts: GroupPresenceParts) {
    this.#parts = parts
    const { host, names, namespaceV2, nameServers, serialization } = parts.config
    this.cluster = new Cluster({
      host,
      nameServers,
      serialization,
      ...{ names, namespaceV2 },
      router: parts.router,
      onRouteChanged: (topic) => {
        this.heartbeats.soon()
        parts.onRouteChanged(topic)
      },
      onConnectionClosed: (address) => {
        this.heartbeats.soon()
        parts.onConnectionClosed?.(address)
      },
    })
    this.heartbeats = new Heartbeats({
      host,
      remoting: this.cluster.remoting,
      targets: () => this.#targets(),
      content: () => ({
        clientID: parts.clientId,
        producerDataSet: [],
        consumerDataSet: [this.#consumerData()],
        heartbeatFingerprint: 0,
        withoutSub: false,
      }),
    })
  }

  /** Begins to renew routes, and to tell the brokers. */
  start(): void {
    this.cluster.start()
    this.heartbeats.start()
  }

  /** Takes leave of the brokers, if they heard of this consumer, and closes all connections. */
  async end(wasHeard: boolean): Promise<void> {
    if (wasHeard) await this.heartbeats.stop({ consumerGroup: this.#parts.config.group })
    await this.cluster.close()
  }

  /**
   * Who subscribes to nothing is no member. (Apache's clients announce themselves all the same, and
   * so take a share of queues away from the others that they do not read.)
   */
  #targets(): string[] {
    this.#isMember ||= this.#parts.subscriptions().length > 0
    if (!this.#isMember) return []
    return [...this.cluster.addresses.values()].flatMap((replicas) => [...replicas.values()])
  }

  #consumerData(): ConsumerData {
    const { config, consumeType, messageModel, consumeFromWhere } = this.#parts
    return {
      groupName: config.group,
      consumeType,
      messageModel,
      consumeFromWhere: wireFromWhere(consumeFromWhere),
      subscriptionDataSet: this.#parts.subscriptions(),
      unitMode: false,
    }
  }
}

/** As heartbeats say it. */
export function wireFromWhere(from: ConsumeFromWhere): WireFromWhere {
  if (from === 'first') return 'CONSUME_FROM_FIRST_OFFSET'
  return from === 'last' ? 'CONSUME_FROM_LAST_OFFSET' : 'CONSUME_FROM_TIMESTAMP'
}
