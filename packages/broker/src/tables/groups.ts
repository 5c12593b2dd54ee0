/**
 * The settings of consumer groups. Owns the map and its data version; kept in
 * `config/subscriptionGroup.json`.
 */
import type { Clock } from '@rockhopper/host'
import {
  asNumber,
  asObject,
  type DataVersion,
  dataVersionOf,
  NO_DATA_VERSION,
  nextDataVersion,
  type SubscriptionGroupConfig,
  sameDataVersion,
  subscriptionGroupOf,
} from '@rockhopper/protocol'
import { Watermark } from '@rockhopper/store'
import { MAX_GROUPS } from '../limits.ts'

/** The bit of `forbiddenTable` that forbids reading. Source: `PermName.INDEX_PERM_READ`. */
const READ_FORBIDDEN = 1 << 2

export class GroupTable {
  /** Number of changes so far. */
  readonly revision: Watermark
  readonly #clock: Clock
  readonly #isCopy: boolean
  readonly #groups = new Map<string, SubscriptionGroupConfig>()
  #version: DataVersion = NO_DATA_VERSION
  /** Of a group, topics with bits of what is forbidden. Source: Apache class PermName. */
  readonly #forbidden = new Map<string, Map<string, number>>()

  /** A slave has a copy of its master's table: nothing is created in it on demand. */
  constructor(clock: Clock, { isCopy = false } = {}) {
    this.#clock = clock
    this.#isCopy = isCopy
    this.revision = new Watermark(clock, 0)
  }

  get(group: string): SubscriptionGroupConfig | undefined {
    return this.#groups.get(group)
  }

  all(): IterableIterator<SubscriptionGroupConfig> {
    return this.#groups.values()
  }

  /**
   * The settings of a group, made with Apache's defaults when it is new and `create` allows it;
   * undefined when it does not, or when there are too many groups. A copy does not keep a new one:
   * the master has it already, or will.
   */
  obtain(group: string, create: boolean): SubscriptionGroupConfig | undefined {
    const known = this.#groups.get(group)
    if (known !== undefined || !create) return known
    const config = subscriptionGroupOf({ groupName: group })
    if (this.#isCopy) return config
    if (!this.hasRoom) return undefined
    this.put(config)
    return config
  }

  /** Whether one more group may be created. */
  get hasRoom(): boolean {
    return this.#groups.size < MAX_GROUPS
  }

  put(config: SubscriptionGroupConfig): void {
    this.#groups.set(config.groupName, config)
    this.#change()
  }

  delete(group: string): void {
    const wasForbidden = this.#forbidden.delete(group)
    if (this.#groups.delete(group) || wasForbidden) this.#change()
  }

  /** Whether no operator has forbidden the group to read the topic. */
  mayRead(group: string, topic: string): boolean {
    return ((this.#forbidden.get(group)?.get(topic) ?? 0) & READ_FORBIDDEN) === 0
  }

  setReadable(group: string, topic: string, readable: boolean): void {
    const topics = this.#forbidden.get(group) ?? new Map<string, number>()
    const bits = topics.get(topic) ?? 0
    const wanted = readable ? bits & ~READ_FORBIDDEN : bits | READ_FORBIDDEN
    if (wanted === bits) return
    if (wanted === 0) topics.delete(topic)
    else topics.set(topic, wanted)
    if (topics.size === 0) this.#forbidden.delete(group)
    else this.#forbidden.set(group, topics)
    this.#change()
  }

  /** Becomes the table of the master as a whole; returns whether it was another one. */
  follow(json: unknown): boolean {
    if (sameDataVersion(dataVersionOf(asObject(json)['dataVersion']), this.#version)) return false
    this.#groups.clear()
    this.#forbidden.clear()
    this.load(json)
    this.revision.advance(this.revision.value + 1)
    return true
  }

  /** Takes over what `toJson` gave, or Apache wrote, in an earlier life. */
  load(value: unknown): void {
    const json = asObject(value)
    for (const group of Object.values(asObject(json['subscriptionGroupTable']))) {
      const config = subscriptionGroupOf(group)
      this.#groups.set(config.groupName, config)
    }
    for (const [group, topics] of Object.entries(asObject(json['forbiddenTable']))) {
      const bits = Object.entries(asObject(topics)).map(([topic, value]) => {
        return [topic, asNumber(value)] as const
      })
      this.#forbidden.set(group, new Map(bits))
    }
    this.#version = dataVersionOf(json['dataVersion'])
  }

  get dataVersion(): DataVersion {
    return this.#version
  }

  names(): IterableIterator<string> {
    return this.#groups.keys()
  }

  /** The table, or of its groups only those. */
  toJson(names: Iterable<string> = this.#groups.keys()): unknown {
    const groups = [...names].flatMap((name) => this.#groups.get(name) ?? [])
    return {
      dataVersion: this.#version,
      forbiddenTable: Object.fromEntries(
        [...this.#forbidden].map(([group, topics]) => [group, Object.fromEntries(topics)]),
      ),
      subscriptionGroupTable: Object.fromEntries(groups.map((group) => [group.groupName, group])),
    }
  }

  #change(): void {
    this.#version = nextDataVersion(this.#version, this.#clock.nowMs())
    this.revision.advance(this.revision.value + 1)
  }
}
