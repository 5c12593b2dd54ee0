/**
 * The brokers that were heard of lately, and on which connection. Owns one entry per cluster and
 * address; what follows when one is gone is the route table's business.
 */
import type { DataVersion } from '@rockhopper/protocol'

/** `L` is the connection, of which only the identity matters here. */
export interface LiveBroker<L extends object> {
  readonly clusterName: string
  readonly brokerName: string
  readonly brokerId: number
  readonly brokerAddr: string
  readonly haServerAddr: string | undefined
  readonly dataVersion: DataVersion
  readonly filterServers: readonly string[]
  /** Silence after which it is dropped. */
  readonly timeoutMs: number
  /** The connection it registered on last. */
  readonly link: L
}

interface Entry<L extends object> {
  readonly broker: LiveBroker<L>
  /** Monotonic time. */
  heardMs: number
}

export class LiveBrokers<L extends object> {
  readonly #entries = new Map<string, Entry<L>>()
  readonly #byLink = new Map<L, Set<string>>()

  get size(): number {
    return this.#entries.size
  }

  get(clusterName: string, brokerAddr: string): LiveBroker<L> | undefined {
    return this.#entries.get(keyOf(clusterName, brokerAddr))?.broker
  }

  put(broker: LiveBroker<L>, nowMs: number): void {
    this.remove(broker.clusterName, broker.brokerAddr)
    const key = keyOf(broker.clusterName, broker.brokerAddr)
    this.#entries.set(key, { broker, heardMs: nowMs })
    const keys = this.#byLink.get(broker.link) ?? new Set<string>()
    this.#byLink.set(broker.link, keys.add(key))
  }

  remove(clusterName: string, brokerAddr: string): LiveBroker<L> | undefined {
    const key = keyOf(clusterName, brokerAddr)
    const broker = this.#entries.get(key)?.broker
    if (broker === undefined) return undefined
    this.#entries.delete(key)
    const keys = this.#byLink.get(broker.link)
    keys?.delete(key)
    if (keys?.size === 0) this.#byLink.delete(broker.link)
    return broker
  }

  /** Notes a sign of life; nothing happens when the broker is unknown. */
  heard(clusterName: string, brokerAddr: string, nowMs: number): void {
    const entry = this.#entries.get(keyOf(clusterName, brokerAddr))
    if (entry !== undefined) entry.heardMs = nowMs
  }

  /** The brokers whose last registration came on this connection. */
  on(link: L): LiveBroker<L>[] {
    const keys = [...(this.#byLink.get(link) ?? [])]
    return keys.flatMap((key) => this.#entries.get(key)?.broker ?? [])
  }

  /** The brokers that were silent for longer than they may be. */
  silent(nowMs: number): LiveBroker<L>[] {
    return [...this.#entries.values()]
      .filter(({ broker, heardMs }) => heardMs + broker.timeoutMs < nowMs)
      .map(({ broker }) => broker)
  }
}

/** The length in front keeps any two pairs apart, whatever the names are made of. */
function keyOf(clusterName: string, brokerAddr: string): string {
  return `${clusterName.length}:${clusterName}${brokerAddr}`
}
