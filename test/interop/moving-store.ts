/**
 * A store directory that brokers of both makers take over from each other, always under the same
 * name and address, with the same sizes of files: so small that a few hundred messages fill many.
 */
import { cpSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseFastjson } from '@rockhopper/protocol'
import { freePort } from '../processes/port.ts'
import type { Broker, ServerFamily } from './server.ts'
import { makeDir } from './workplace.ts'

export const travelBroker = 'travel-broker'
export const clusterName = 'TravelCluster'

export const commitLogSegmentBytes = 1_048_576
/** Fifty units. */
export const queueSegmentBytes = 1_000
export const indexSlots = 500
/** One less can be used: Apache never uses entry number 0. */
export const indexEntries = 2_000

export class MovingStore {
  readonly directory: string
  readonly port: number
  readonly #runDir: string
  readonly #namesrv: string

  private constructor(runDir: string, namesrv: string, directory: string, port: number) {
    this.#runDir = runDir
    this.#namesrv = namesrv
    this.directory = directory
    this.port = port
  }

  static async create(runDir: string, namesrv: string): Promise<MovingStore> {
    const directory = join(makeDir(runDir, 'moving'), 'store')
    return new MovingStore(runDir, namesrv, directory, await freePort())
  }

  /** A copy of what a killed broker left: all, or nothing but the log. */
  copy(what: 'all' | 'log only'): MovingStore {
    const directory = join(makeDir(this.#runDir, 'moving'), 'store')
    cpSync(this.directory, directory, { recursive: true, preserveTimestamps: true })
    const derived = what === 'all' ? [] : ['consumequeue', 'index', 'checkpoint', 'logsums']
    for (const name of derived) rmSync(join(directory, name), { recursive: true, force: true })
    return new MovingStore(this.#runDir, this.#namesrv, directory, this.port)
  }

  /** Starts a broker on the directory. Never two at once: they do not see each other's locks. */
  open(family: ServerFamily, settings: Readonly<Record<string, string>> = {}): Promise<Broker> {
    return family.startBroker(this.#runDir, {
      ...{ namesrv: this.#namesrv, name: travelBroker, clusterName, port: this.port },
      settings: {
        storePathRootDir: this.directory,
        storePathCommitLog: join(this.directory, 'commitlog'),
        mappedFileSizeCommitLog: String(commitLogSegmentBytes),
        mappedFileSizeConsumeQueue: String(queueSegmentBytes),
        maxHashSlotNum: String(indexSlots),
        maxIndexNum: String(indexEntries),
        flushConsumerOffsetInterval: '100',
        ...settings,
      },
    })
  }

  /** The offsets of a group, by queue, as the directory has them; undefined where it has none. */
  savedOffsets(group: string, topic: string): number[] | undefined {
    const offsets = this.#table('consumerOffset.json')['offsetTable']?.[`${topic}@${group}`]
    return offsets === undefined ? undefined : Object.values(offsets).map(Number)
  }

  /** The saved settings of the topics and groups whose name is wanted. */
  savedTables(isWanted: (name: string) => boolean): Map<string, object> {
    const topics = this.#table('topics.json')['topicConfigTable'] ?? {}
    const groups = this.#table('subscriptionGroup.json')['subscriptionGroupTable'] ?? {}
    return new Map([
      ...namedEntries('topic', topics, isWanted),
      ...namedEntries('group', groups, isWanted),
    ])
  }

  /** Apache moves the file away before it writes the next one. */
  #table(name: string): SavedTable {
    const file = join(this.directory, 'config', name)
    return parsed(file) ?? parsed(`${file}.bak`) ?? {}
  }
}

/** Undefined when the file is not there or not yet whole. */
function parsed(path: string): SavedTable | undefined {
  try {
    return parseFastjson(readFileSync(path, 'utf8')) as SavedTable
  } catch {
    return undefined
  }
}

type SavedTable = Readonly<Record<string, Readonly<Record<string, object>>>>

function namedEntries(
  kind: string,
  table: Readonly<Record<string, object>>,
  isWanted: (name: string) => boolean,
): [string, object][] {
  return Object.entries(table).flatMap(([name, entry]) =>
    isWanted(name) ? [[`${kind} ${name}`, entry]] : [],
  )
}
