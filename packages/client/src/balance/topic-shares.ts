/**
 * Finds out what a rebalance needs to know of each subscribed topic: its route, and who the members
 * are. Says once what is in the way of a topic. Owns the set of topics with such a problem.
 */
import type { Host } from '@rockhopper/host'
import type { TopicRouteData } from '@rockhopper/protocol'
import type { Cluster } from '../cluster/cluster.ts'
import { MembersLook } from '../cluster/members.ts'
import { missingRoute, nobodyToAsk, unusableRoute } from '../cluster/no-route.ts'
import { subscribeQueues } from '../cluster/routes.ts'
import type { Subscriptions } from '../pull/subscriptions.ts'
import type { TopicShare } from './rebalance.ts'

export interface TopicSharesParts {
  readonly host: Host
  readonly cluster: Cluster
  readonly group: string
  readonly clientId: string
  readonly subscriptions: Subscriptions
  /** Whether other members do not matter: then nobody is asked who they are. */
  readonly isAlone: () => boolean
  /** Told once of each topic that cannot be consumed, and again after it could. */
  readonly onProblem: (topic: string, error: Error) => void
  /** No broker of a topic knows any member, though we are one. */
  readonly onForgotten: () => void
}

export class TopicShares {
  readonly #parts: TopicSharesParts
  readonly #troubled = new Set<string>()

  constructor(parts: TopicSharesParts) {
    this.#parts = parts
  }

  /** The topics that have a route, with the members of the group. Never rejects. */
  async all(): Promise<readonly TopicShare[]> {
    const { host, cluster, group, subscriptions } = this.#parts
    const look = new MembersLook(host, cluster.remoting, group)
    const shares = await Promise.all(subscriptions.topics.map((topic) => this.#share(topic, look)))
    return shares.filter((share) => share !== undefined)
  }

  /** Asks for the routes of all subscribed topics. Never rejects. */
  async findRoutes(): Promise<void> {
    await Promise.all(this.#parts.subscriptions.topics.map((topic) => this.#findRoute(topic)))
  }

  async #share(topic: string, look: MembersLook): Promise<TopicShare | undefined> {
    const { clientId, cluster, isAlone, onForgotten } = this.#parts
    const route = cluster.route(topic) ?? (await this.#findRoute(topic))
    if (route === undefined) return undefined
    if (subscribeQueues(topic, route).length > 0) this.#troubled.delete(topic)
    else this.#tell(topic, unusableRoute(topic, 'consumer', route))
    const members = isAlone() ? [clientId] : await look.of(route)
    if (members === undefined) onForgotten()
    return { topic, route, members }
  }

  async #findRoute(topic: string): Promise<TopicRouteData | undefined> {
    const { cluster, subscriptions } = this.#parts
    try {
      const route = await cluster.findRoute(topic)
      // Brokers make the retry topic when they hear of the group: it comes a little later.
      if (route === undefined && !subscriptions.isRetryTopic(topic)) {
        this.#tell(topic, await missingRoute(cluster, topic, 'consumer'))
      }
      return route
    } catch (error) {
      this.#tell(topic, nobodyToAsk(topic, error))
      return undefined
    }
  }

  #tell(topic: string, error: Error): void {
    if (this.#troubled.has(topic)) return
    this.#troubled.add(topic)
    this.#parts.onProblem(topic, error)
  }
}
