/**
 * The settings of consumer groups. Owns the map and its data version; kept in
 * `config/subscriptionGroup.json`.
 */
import type { Clock } from '@rockhopper/host'
import {
  asObject,
  type DataVersion,
  dataVersionOf,
  type JsonObject,
  NO_DATA_VERSION,
  nextDataVersion,
  type SubscriptionGroupConfig,
  subscriptionGroupOf,
} from '@rockhopper/protocol'
import { Watermark } from '@rockhopper/store'
import { MAX_GROUPS } from '../limits.ts'

export class GroupTable {
  /** Number of changes so far. */
  readonly revision: Watermark
  readonly #clock: Clock
  readonly #groups = new Map<string, SubscriptionGroupConfig>()
  #version: DataVersion = NO_DATA_VERSION
  /** Topics that a group may not read; kept for Apache, which writes them. */
  #forbidden: JsonObject = {}

  constructor(clock: Clock) {
    this.#clock = clock
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
   * undefined when it does not, or when there are too many groups.
   */
  obtain(group: string, create: boolean): SubscriptionGroupConfig | undefined {
    const known = this.#groups.get(group)
    if (known !== undefined || !create || this.#groups.size >= MAX_GROUPS) return known
    const config = subscriptionGroupOf({ groupName: group })
    this.put(config)
    return config
  }

  put(config: SubscriptionGroupConfig): void {
    this.#groups.set(config.groupName, config)
    this.#change()
  }

  delete(group: string): void {
    if (this.#groups.delete(group)) this.#change()
  }

  /** Takes over what `toJson` gave, or Apache wrote, in an earlier life. */
  load(value: unknown): void {
    const json = asObject(value)
    for (const group of Object.values(asObject(json['subscriptionGroupTable']))) {
      const config = subscriptionGroupOf(group)
      this.#groups.set(config.groupName, config)
    }
    this.#forbidden = asObject(json['forbiddenTable'])
    this.#version = dataVersionOf(json['dataVersion'])
  }

  toJson(): unknown {
    return {
      dataVersion: this.#version,
      forbiddenTable: this.#forbidden,
      subscriptionGroupTable: Object.fromEntries(this.#groups),
    }
  }

  #change(): void {
    this.#version = nextDataVersion(this.#version, this.#clock.nowMs())
    this.revision.advance(this.revision.value + 1)
  }
}
