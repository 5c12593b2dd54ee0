/**
 * How far each group has consumed each queue. Owns the map topic and group → queue → next offset;
 * kept in `config/consumerOffset.json`. An offset moves back only by an operator's word or by the
 * client that owns the queue, and is never forgotten on its own.
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

export class OffsetTable {
  readonly #clock: Clock
  readonly #offsets = new Map<string, Map<number, number>>()
  /** Where the last pull of a group ended: memory only, shown as "in flight". */
  readonly #pulled = new Map<string, Map<number, number>>()
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

  commit(group: string, topic: string, queueId: number, offset: number): void {
    set(this.#offsets, keyOf(topic, group), queueId, offset)
    this.#commits++
    if (this.#commits % VERSION_STEP === 0) this.#nextVersion()
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
    for (const table of [this.#offsets, this.#pulled]) {
      for (const [key, offsets] of table) {
        const topic = key.slice(0, key.indexOf(SEPARATOR))
        for (const id of offsets.keys()) if (gone.has(keyOf(topic, String(id)))) offsets.delete(id)
      }
    }
    this.#commits++
    this.#nextVersion()
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

  #delete(key: string): void {
    this.#offsets.delete(key)
    this.#pulled.delete(key)
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

function set(
  table: Map<string, Map<number, number>>,
  key: string,
  queueId: number,
  offset: number,
): void {
  const queues = table.get(key)
  if (queues === undefined) table.set(key, new Map([[queueId, offset]]))
  else queues.set(queueId, offset)
}
