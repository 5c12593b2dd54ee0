/**
 * Which topic has queues on which broker. Owns the rows, found by topic and by broker.
 */
import { permission, type QueueData, type TopicQueueMappingInfo } from '@rockhopper/protocol'

interface Row {
  queues: QueueData
  /** Of a static topic: which of its queues lie there. */
  mapping: TopicQueueMappingInfo | undefined
}

export class TopicTable {
  /** Topic to broker name to row. */
  readonly #rows = new Map<string, Map<string, Row>>()
  readonly #topicsOfBroker = new Map<string, Set<string>>()
  #size = 0

  /** Number of rows, and of queues in their mappings. */
  get size(): number {
    return this.#size
  }

  names(): string[] {
    return [...this.#rows.keys()]
  }

  queuesOf(topic: string): QueueData[] {
    return [...(this.#rows.get(topic)?.values() ?? [])].map(({ queues }) => queues)
  }

  /** Broker name to mapping; undefined when the topic is not a static one. */
  mappingsOf(topic: string): Map<string, TopicQueueMappingInfo> | undefined {
    const mappings = new Map<string, TopicQueueMappingInfo>()
    for (const [brokerName, { mapping }] of this.#rows.get(topic) ?? []) {
      if (mapping !== undefined) mappings.set(brokerName, mapping)
    }
    return mappings.size === 0 ? undefined : mappings
  }

  has(topic: string, brokerName: string): boolean {
    return this.#row(topic, brokerName) !== undefined
  }

  topicsOf(brokerName: string): string[] {
    return [...(this.#topicsOfBroker.get(brokerName) ?? [])]
  }

  put(topic: string, queues: QueueData): void {
    const row = this.#row(topic, queues.brokerName)
    if (row === undefined) this.#add(topic, { queues, mapping: undefined })
    else row.queues = queues
  }

  /** Notes how a static topic lies on a broker; nothing happens when the broker does not have it. */
  map(topic: string, mapping: TopicQueueMappingInfo): void {
    const row = this.#row(topic, mapping.bname)
    if (row === undefined) return
    this.#size += mapping.currIdMap.size - (row.mapping?.currIdMap.size ?? 0)
    row.mapping = mapping
  }

  remove(topic: string, brokerName: string): void {
    const rows = this.#rows.get(topic)
    const row = rows?.get(brokerName)
    if (rows === undefined || row === undefined) return
    this.#size -= 1 + (row.mapping?.currIdMap.size ?? 0)
    rows.delete(brokerName)
    if (rows.size === 0) this.#rows.delete(topic)
    const topics = this.#topicsOfBroker.get(brokerName)
    topics?.delete(topic)
    if (topics?.size === 0) this.#topicsOfBroker.delete(brokerName)
  }

  removeTopic(topic: string): void {
    for (const { brokerName } of this.queuesOf(topic)) this.remove(topic, brokerName)
  }

  removeBroker(brokerName: string): void {
    for (const topic of this.topicsOf(brokerName)) this.remove(topic, brokerName)
  }

  /** Takes the write permission from all topics of a broker; returns how many there are. */
  wipeWrite(brokerName: string): number {
    return this.#setPermission(brokerName, (perm) => perm & ~permission.write)
  }

  /** Makes all topics of a broker readable and writable, and no more than that, as Apache does. */
  addWrite(brokerName: string): number {
    return this.#setPermission(brokerName, () => permission.read | permission.write)
  }

  #row(topic: string, brokerName: string): Row | undefined {
    return this.#rows.get(topic)?.get(brokerName)
  }

  #add(topic: string, row: Row): void {
    const { brokerName } = row.queues
    const rows = this.#rows.get(topic) ?? new Map<string, Row>()
    this.#rows.set(topic, rows.set(brokerName, row))
    const topics = this.#topicsOfBroker.get(brokerName) ?? new Set<string>()
    this.#topicsOfBroker.set(brokerName, topics.add(topic))
    this.#size++
  }

  #setPermission(brokerName: string, change: (perm: number) => number): number {
    const topics = this.topicsOf(brokerName)
    for (const topic of topics) {
      const row = this.#row(topic, brokerName)
      if (row !== undefined) row.queues = { ...row.queues, perm: change(row.queues.perm) }
    }
    return topics.length
  }
}
