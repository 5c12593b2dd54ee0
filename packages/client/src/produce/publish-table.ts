/**
 * Where messages of a topic can be sent to, ready to choose from. Owns one entry per topic that was
 * sent to; an entry lives until the route changes.
 */
import type { Random } from '@rockhopper/host'
import type { MessageQueue } from '@rockhopper/protocol'
import {
  GET_MAX_OFFSET,
  isSendForbidden,
  type TopicRouteData,
  topicNameProblem,
} from '@rockhopper/protocol'
import type { BrokerLink } from '../cluster/broker-link.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { missingRoute, nobodyToAsk, unusableRoute } from '../cluster/no-route.ts'
import { NEW_TOPIC_TEMPLATE, newTopicRoute, publishQueues } from '../cluster/routes.ts'
import { badMessage } from '../errors.ts'
import type { ProbeResult } from './broker-faults.ts'
import { QueueChooser } from './choose-queue.ts'

/** Source: Apache detectTimeout. */
const PROBE_TIMEOUT_MS = 200

/** A queue and the way to its broker. */
export interface PublishQueue {
  readonly queue: MessageQueue
  readonly brokerName: string
  readonly link: BrokerLink
}

/** The queues of one topic. */
export interface PublishEntry {
  readonly chooser: QueueChooser<PublishQueue>
  /** For selectors. */
  readonly queues: readonly MessageQueue[]
}

/** Topics that are created by their first message. */
export interface NewTopics {
  /** Queues per broker. */
  readonly newTopicQueues: number
  /** The topic that they are made after. */
  readonly newTopicTemplate: string
}

/** As Apache's producers want them where nothing is said. */
export const USUAL_NEW_TOPICS: NewTopics = {
  newTopicQueues: 4,
  newTopicTemplate: NEW_TOPIC_TEMPLATE,
}

export class PublishTable {
  readonly #cluster: Cluster
  readonly #random: Random
  readonly #newTopics: NewTopics
  readonly #entries = new Map<string, PublishEntry>()

  constructor(cluster: Cluster, random: Random, newTopics: NewTopics) {
    this.#cluster = cluster
    this.#random = random
    this.#newTopics = newTopics
  }

  /** The entry of a topic, if it is known and has a queue. */
  get(topic: string): PublishEntry | undefined {
    return this.#entries.get(topic)
  }

  /**
   * The entry of a topic, found by asking. Throws `NoRouteError` with the reason why there is none,
   * and BAD_MESSAGE when no message may be sent to a topic of that name.
   */
  async find(topic: string): Promise<PublishEntry> {
    checkTopic(this.#cluster.names.full(topic))
    const route = await this.#ask(topic)
    const entry = this.#entries.get(topic)
    if (entry === undefined) throw unusableRoute(topic, 'producer', route)
    return entry
  }

  /** Follows a route that became another one. */
  renew(topic: string): void {
    const route = this.#cluster.route(topic)
    const queues = route === undefined ? [] : publishQueues(topic, route)
    if (queues.length === 0) {
      this.#entries.delete(topic)
      return
    }
    const ways = queues.map((queue) => this.way(queue))
    const chooser = new QueueChooser(ways, this.#random.below(2 ** 30))
    this.#entries.set(topic, { chooser, queues })
  }

  /** A queue with the way to its broker. */
  way(queue: MessageQueue): PublishQueue {
    const { brokerName } = queue
    return { queue, brokerName, link: this.#cluster.link(brokerName) }
  }

  /** Asks the master of a broker for a sign of life: any answer is one. */
  async probe(brokerName: string): Promise<ProbeResult> {
    const link = this.#cluster.link(brokerName)
    if (link.address === undefined) return 'gone'
    const [topic = this.#newTopics.newTopicTemplate] = this.#entries.keys()
    try {
      await link.call(GET_MAX_OFFSET, { topic, queueId: 0 }, { timeoutMs: PROBE_TIMEOUT_MS })
      return 'alive'
    } catch {
      return 'silent'
    }
  }

  /** The route of the topic, or the one that it will have when the first message creates it. */
  async #ask(topic: string): Promise<TopicRouteData> {
    let template: TopicRouteData | undefined
    try {
      const route = await this.#cluster.findRoute(topic)
      if (route !== undefined) return route
      template = await this.#cluster.askRoute(this.#newTopics.newTopicTemplate)
      // A broker that registered between the two questions may have the topic, with its own queues.
      const late = template && (await this.#cluster.findRoute(topic))
      if (late !== undefined) return late
    } catch (error) {
      throw nobodyToAsk(topic, error)
    }
    if (template === undefined) throw await missingRoute(this.#cluster, topic, 'producer')
    const route = newTopicRoute(template, this.#newTopics.newTopicQueues)
    this.#cluster.keepRoute(topic, route)
    return route
  }
}

function checkTopic(topic: string): void {
  const problem = topicNameProblem(topic)
  if (problem !== undefined) throw badMessage(problem, 'choose another topic')
  if (!isSendForbidden(topic)) return
  throw badMessage(`the topic "${topic}" belongs to the system`, 'send to a topic of your own')
}
