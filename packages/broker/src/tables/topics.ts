/**
 * The topics of this broker: their queues and permissions. Owns the map and its data version; kept
 * in `config/topics.json`. `revision` grows with each change, for those who save and announce it.
 */
import type { Clock } from '@rockhopper/host'
import {
  type DataVersion,
  NO_DATA_VERSION,
  nextDataVersion,
  sameDataVersion,
  type TopicConfig,
  type TopicConfigs,
  topicConfigsJson,
  topicConfigsOf,
} from '@rockhopper/protocol'
import { Watermark } from '@rockhopper/store'
import { MAX_TOPICS } from '../limits.ts'

export class TopicTable {
  /** Number of changes so far. */
  readonly revision: Watermark
  readonly #clock: Clock
  readonly #isCopy: boolean
  #topics = new Map<string, TopicConfig>()
  #version: DataVersion = NO_DATA_VERSION
  /** Topics changed since `takeChanges`; a deleted one has no configuration any more. */
  #changed = new Set<string>()

  /** A slave has a copy of its master's table: nothing is created in it on demand. */
  constructor(clock: Clock, { isCopy = false } = {}) {
    this.#clock = clock
    this.#isCopy = isCopy
    this.revision = new Watermark(clock, 0)
  }

  /** The whole table with its version, as registrations and listings carry it. */
  get configs(): TopicConfigs {
    return { dataVersion: this.#version, topics: this.#topics }
  }

  get(topic: string): TopicConfig | undefined {
    return this.#topics.get(topic)
  }

  all(): IterableIterator<TopicConfig> {
    return this.#topics.values()
  }

  /** Whether one more topic may be created. */
  get hasRoom(): boolean {
    return !this.#isCopy && this.#topics.size < MAX_TOPICS
  }

  /** The topic of that name, made so if there is none; undefined when there are too many topics. */
  obtain(config: TopicConfig): TopicConfig | undefined {
    const known = this.#topics.get(config.topicName)
    if (known !== undefined || !this.hasRoom) return known
    this.put(config)
    return config
  }

  /** Creates or replaces a topic; an equal configuration changes nothing. */
  put(config: TopicConfig): void {
    const known = this.#topics.get(config.topicName)
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(config)) return
    this.#topics.set(config.topicName, config)
    this.#change(config.topicName)
  }

  delete(topic: string): void {
    if (this.#topics.delete(topic)) this.#change(topic)
  }

  /** The topics changed since the last call, with their version, for a registration of only these. */
  takeChanges(): TopicConfigs {
    const topics = new Map<string, TopicConfig>()
    for (const topic of this.#changed) {
      const config = this.#topics.get(topic)
      if (config !== undefined) topics.set(topic, config)
    }
    this.#changed = new Set()
    return { dataVersion: this.#version, topics }
  }

  /** Becomes the table of the master as a whole; returns whether it was another one. */
  follow({ dataVersion, topics }: TopicConfigs): boolean {
    if (sameDataVersion(dataVersion, this.#version)) return false
    for (const topic of [...this.#topics.keys(), ...topics.keys()]) this.#changed.add(topic)
    this.#topics = new Map(topics)
    this.#version = dataVersion
    this.revision.advance(this.revision.value + 1)
    return true
  }

  /** Takes over what `toJson` gave, or Apache wrote, in an earlier life. */
  load(json: unknown): void {
    const { dataVersion, topics } = topicConfigsOf(json)
    for (const [topic, config] of topics) this.#topics.set(topic, config)
    this.#version = dataVersion
  }

  toJson(): unknown {
    return topicConfigsJson(this.configs)
  }

  #change(topic: string): void {
    this.#changed.add(topic)
    this.#version = nextDataVersion(this.#version, this.#clock.nowMs())
    this.revision.advance(this.revision.value + 1)
  }
}
