/**
 * How far each group has consumed each queue. Owns the map topic and group → queue → next offset;
 * kept in `config/consumerOffset.json`. An offset moves back only by an operator's word or by the
 * client that owns the queue, and is never forgotten on its own.
 *
 * An offset that an operator has reset stands until the group reads there: its next pull is told,
 * and what it commits before is not taken. Source: Apache class ConsumerOffsetManager.
 */
import type { Clock } from '@rockhopper/host'
import {
  asNumber,
  asObject,
  type DataVersion,
  dataVersionOf,
  NO_DATA_VERSION,
  nextDataVersion,
} from '@rockhopper/protocol'

/** Stands between topic and group in a key; neither may contain it. Source: ConsumerOffsetManager. */
const SEPARATOR = '@'

/** Commits per step of the data version (Apache: `consumerOffsetUpdateVersionStep`). */
const VERSION_STEP = 500

/** An offset that an operator set, and who was told to go on there. */
interface PendingReset {
  readonly offset: number
  told: unknown
}

const NO_OFFSETS: ReadonlyMap<number, number> = new Map()

export class OffsetTable {
  readonly #clock: Clock
  readonly #offsets = new Map<string, Map<number, number>>()
  /** Where the last pull of a group ended: memory only, shown as "in flight". */
  readonly #pulled = new Map<string, Map<number, number>>()
  /** Members that know of the last commit, where one of them has committed: memory only. */
  readonly #knowing = new Map<string, Map<number, Set<string>>>()
  /** Offsets that were reset and that the group has not heard of: memory only. */
  readonly #resets = new Map<string, Map<number, PendingReset>>()
  /** Who waits on behalf of a group for messages of a queue, and must hear of a reset. */
  readonly #waits = new Map<string, Set<() => void>>()
  #version: DataVersion = NO_DATA_VERSION
  #commits = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Grows with every commit: whoever saves the table knows whether there is something new. */
  get commits(): number {
    return this.#commits
  }

  /** The next offset that the group will consume; undefined when it never committed one. */
  get(group: string, topic: string, queueId: number): number | undefined {
    return this.#offsets.get(keyOf(topic, group))?.get(queueId)
  }

  /**
   * Returns false, and changes nothing, while the group has not heard of a reset of the queue. The
   * `member` that commits is the only one that knows of it; of others nothing is known.
   */
  commit(group: string, topic: string, queueId: number, offset: number, member?: string): boolean {
    if (this.isReset(group, topic, queueId)) return false
    const key = keyOf(topic, group)
    set(this.#offsets, key, queueId, offset)
    this.#noteMember(key, queueId, member)
    this.#commits++
    if (this.#commits % VERSION_STEP === 0) this.#nextVersion()
    return true
  }

  /** A member is told where its group is. */
  tell(group: string, topic: string, queueId: number, member: string): void {
    this.#knowing.get(keyOf(topic, group))?.get(queueId)?.add(member)
  }

  /** Whether a member has committed last, or was told of it; also when nobody can say. */
  knows(group: string, topic: string, queueId: number, member: string): boolean {
    return this.#knowing.get(keyOf(topic, group))?.get(queueId)?.has(member) !== false
  }

  /** Sets an offset by an operator's word, and wakes the pulls that are held for the queue. */
  reset(group: string, topic: string, queueId: number, offset: number): void {
    const key = keyOf(topic, group)
    set(this.#offsets, key, queueId, offset)
    set(this.#resets, key, queueId, { offset, told: undefined })
    this.#pulled.get(key)?.delete(queueId)
    this.#commits++
    this.#nextVersion()
    for (const wake of this.#waits.get(keyOf(key, String(queueId))) ?? []) wake()
  }

  /** Sets an offset by an operator's word, for a group of which nobody is there to be told. */
  place(group: string, topic: string, queueId: number, offset: number): void {
    this.#forget(keyOf(topic, group), queueId)
    this.commit(group, topic, queueId, offset)
    this.#nextVersion()
  }

  /**
   * Where `puller`, who wants to read at `queueOffset`, is to go on after a reset of the queue;
   * undefined when there was none. Each puller is told once, until one of them reads there: an answer
   * may be lost with its connection, and who insists on another place is let go.
   */
  takeReset(
    { group, queueId, topic }: { group: string; topic: string; queueId: number },
    puller: unknown,
    queueOffset: number,
  ): number | undefined {
    if (this.#resets.size === 0) return undefined
    const key = keyOf(topic, group)
    const reset = this.#resets.get(key)?.get(queueId)
    if (reset === undefined) return undefined
    const isOver = reset.told === puller || queueOffset === reset.offset
    if (reset.told !== undefined && isOver) {
      this.#forget(key, queueId)
      return undefined
    }
    reset.told = puller
    return reset.offset
  }

  /** Whether the group has not heard of a reset of the queue. */
  isReset(group: string, topic: string, queueId: number): boolean {
    return this.#resets.size > 0 && this.#resets.get(keyOf(topic, group))?.has(queueId) === true
  }

  /** Calls `wake` when the queue is reset; the result ends that. */
  onReset(group: string, topic: string, queueId: number, wake: () => void): () => void {
    const key = keyOf(keyOf(topic, group), String(queueId))
    const waits = this.#waits.get(key) ?? new Set()
    this.#waits.set(key, waits.add(wake))
    return () => {
      waits.delete(wake)
      if (waits.size === 0 && this.#waits.get(key) === waits) this.#waits.delete(key)
    }
  }

  /** The offsets of a group by queue of a topic; empty when it has none. */
  queuesOf(group: string, topic: string): ReadonlyMap<number, number> {
    return this.#offsets.get(keyOf(topic, group)) ?? NO_OFFSETS
  }

  notePull(group: string, topic: string, queueId: number, offset: number): void {
    set(this.#pulled, keyOf(topic, group), queueId, offset)
  }

  pulled(group: string, topic: string, queueId: number): number | undefined {
    return this.#pulled.get(keyOf(topic, group))?.get(queueId)
  }

  /** Topics that a group has offsets of. */
  topicsOf(group: string): string[] {
    const end = SEPARATOR + group
    return [...this.#offsets.keys()]
      .filter((key) => key.endsWith(end))
      .map((key) => key.slice(0, -end.length))
  }

  /** Groups that have offsets of a topic. */
  groupsOf(topic: string): string[] {
    const start = topic + SEPARATOR
    return [...this.#offsets.keys()]
      .filter((key) => key.startsWith(start))
      .map((key) => key.slice(start.length))
  }

  deleteGroup(group: string): void {
    for (const topic of this.topicsOf(group)) this.#delete(keyOf(topic, group))
  }

  deleteTopic(topic: string): void {
    for (const group of this.groupsOf(topic)) this.#delete(keyOf(topic, group))
  }

  /** Forgets how far anybody is in these queues. */
  deleteQueues(queues: readonly { readonly topic: string; readonly queueId: number }[]): void {
    if (queues.length === 0) return
    const gone = new Set(queues.map(({ topic, queueId }) => keyOf(topic, String(queueId))))
    for (const table of [this.#offsets, this.#pulled, this.#resets, this.#knowing]) {
      for (const [key, offsets] of table) {
        const topic = key.slice(0, key.indexOf(SEPARATOR))
        for (const id of offsets.keys()) if (gone.has(keyOf(topic, String(id)))) offsets.delete(id)
      }
    }
    this.#commits++
    this.#nextVersion()
  }

  /** Becomes the table of the master as a whole. */
  follow(json: unknown): void {
    this.#offsets.clear()
    this.load(json)
    this.#commits++
  }

  /**
   * Puts offsets that lie ahead of their queue back to its end, and returns how many did. `endOf` says
   * where the next message of a queue will be.
   */
  takeBack(endOf: (topic: string, queueId: number) => number): number {
    let count = 0
    for (const [key, queues] of this.#offsets) {
      const topic = key.slice(0, key.lastIndexOf('@'))
      for (const [queueId, offset] of queues) {
        const end = endOf(topic, queueId)
        if (offset <= end) continue
        queues.set(queueId, end)
        count++
      }
    }
    if (count > 0) this.#nextVersion()
    this.#commits += count
    return count
  }

  /** Takes over what `toJson` gave, or Apache wrote, in an earlier life. */
  load(value: unknown): void {
    const json = asObject(value)
    for (const [key, queues] of Object.entries(asObject(json['offsetTable']))) {
      const offsets = Object.entries(asObject(queues))
      const entries = offsets.map(([id, offset]) => [Number(id), asNumber(offset)] as const)
      this.#offsets.set(key, new Map(entries))
    }
    this.#version = dataVersionOf(json['dataVersion'])
  }

  toJson(): unknown {
    const rows = [...this.#offsets].map(([key, queues]) => [key, Object.fromEntries(queues)])
    return { dataVersion: this.#version, offsetTable: Object.fromEntries(rows) }
  }

  /** All offsets with their version, as other brokers ask for them. */
  get table(): {
    readonly dataVersion: DataVersion
    readonly offsetTable: ReadonlyMap<string, ReadonlyMap<number, number>>
  } {
    return { dataVersion: this.#version, offsetTable: this.#offsets }
  }

  #noteMember(key: string, queueId: number, member: string | undefined): void {
    const knowing = this.#knowing.get(key)?.get(queueId)
    if (knowing?.size === 1 && member !== undefined && knowing.has(member)) return
    knowing?.clear()
    if (member === undefined) return
    if (knowing === undefined) set(this.#knowing, key, queueId, new Set([member]))
    else knowing.add(member)
  }

  #forget(key: string, queueId: number): void {
    const resets = this.#resets.get(key)
    resets?.delete(queueId)
    if (resets?.size === 0) this.#resets.delete(key)
  }

  #delete(key: string): void {
    this.#offsets.delete(key)
    this.#pulled.delete(key)
    this.#resets.delete(key)
    this.#knowing.delete(key)
    this.#commits++
    this.#nextVersion()
  }

  #nextVersion(): void {
    this.#version = nextDataVersion(this.#version, this.#clock.nowMs())
  }
}

function keyOf(topic: string, group: string): string {
  return topic + SEPARATOR + group
}

function set<V>(table: Map<string, Map<number, V>>, key: string, queueId: number, value: V): void {
  const queues = table.get(key)
  if (queues === undefined) table.set(key, new Map([[queueId, value]]))
  else queues.set(queueId, value)
}
