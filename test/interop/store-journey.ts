/**
 * A store directory on its way through several brokers: what was ever sent to it and what was last
 * read from it, held against what the broker of the day serves.
 */
import { isDeepStrictEqual } from 'node:util'
import { DefaultProducer } from '@rockhopper/client'
import { expect } from 'vitest'
import { apache, logDirOf, logText } from './apache.ts'
import { parseOffsetId, range } from './expectations.ts'
import { MovingStore, travelBroker } from './moving-store.ts'
import { MqAdmin } from './mqadmin.ts'
import { ours } from './ours.ts'
import type { Broker, ServerFamily } from './server.ts'
import { Traveller, type TravelMessage, type TravelQueue, type TravelSent } from './traveller.ts'
import { makeTopic, poll } from './wire.ts'

/** Messages of one leg are numbered from a multiple of this on. */
const numbersPerLeg = 100_000
const firstOfLoad = 1_000
/** Messages that are acknowledged before a leg ends, beside those of each kind. */
const loadCount = 400
const loadThreads = 4
const loadTopic = 'travel-load'
const plainTopic = 'travel-plain'
const batchTopic = 'travel-batch'
const plainQueues = range(0, 4)
const delayedTopic = 'travel-delayed'
/** 10 s: as a rule, the next broker is there by then. */
const delayLevel = 3
const delayMs = 10_000
const delayedCount = 4
/** Brokers may round the time when a message is due down to a second. */
const clockStepMs = 1_000
const topics = [
  ...[plainTopic, loadTopic, 'travel-compressed', batchTopic],
  ...range(0, 6).map((i) => `travel-${i}`),
  `%RETRY%travel-${'long-'.repeat(40)}group`,
]

export class Journey {
  readonly #store: MovingStore
  readonly #traveller: Traveller
  readonly #admin: MqAdmin
  #broker: Broker | undefined
  #family: ServerFamily | undefined
  /** All that was ever acknowledged. */
  readonly #sent: TravelSent[] = []
  /** Numbers of messages that were sent, but not acknowledged. */
  readonly #lost = new Set<number>()
  /** What the last broker served. */
  #messages: TravelMessage[] = []
  #queues: TravelQueue[] = []
  /** Offsets in the queues of `plainTopic`, by group. */
  readonly #offsets = new Map<string, number[]>()
  /** Entries of the tables of topics and groups, as the last broker left them. */
  #tables = new Map<string, object>()
  /** Ids of messages that were sent to be delivered later. */
  readonly #delayed: string[] = []
  readonly #namesrv: string

  private constructor(namesrv: string, store: MovingStore, traveller: Traveller, admin: MqAdmin) {
    this.#namesrv = namesrv
    this.#store = store
    this.#traveller = traveller
    this.#admin = admin
  }

  static async prepare(runDir: string): Promise<Journey> {
    const { addr } = await ours.startNameServer(runDir)
    return new Journey(
      addr,
      await MovingStore.create(runDir, addr),
      await Traveller.open(runDir, addr, travelBroker),
      await MqAdmin.open(runDir, addr),
    )
  }

  async enter(family: ServerFamily): Promise<void> {
    this.#family = family
    this.#broker = await this.#store.open(family)
  }

  // ---- what the broker serves

  async checkMessages(): Promise<void> {
    const before = this.#messages
    await this.#read()
    const served = new Map(this.#messages.map((message) => [placeOf(message), message]))
    expect(served.size).toBe(this.#messages.length)

    const sent = this.#sent.map(whatWasSent)
    expect(this.#sent.map((each) => whatWasSent(served.get(placeOf(each))))).toEqual(sent)
    expect(before.map((each) => served.get(placeOf(each)))).toEqual(before)
    this.#checkNoStrangers()
    this.#checkLogOrder()
  }

  async #read(): Promise<void> {
    const { queues, messages } = await this.#traveller.read(this.#addr, topics)
    this.#messages = messages
    this.#queues = queues
  }

  /** Each message once; what was never acknowledged may be there, too. */
  #checkNoStrangers(): void {
    const indexes = this.#messages
      .filter(({ reconsumeTimes }) => reconsumeTimes === 0)
      .map(({ index }) => Number(index))
    expect(new Set(indexes).size).toBe(indexes.length)
    const known = new Set([...this.#sent.map(({ index }) => index), ...this.#lost])
    expect(indexes.filter((index) => !known.has(index))).toEqual([])
  }

  #checkLogOrder(): void {
    const inLog = this.#messages.toSorted((a, b) => a.logOffset - b.logOffset)
    const times = inLog.map(({ storeTimestamp }) => storeTimestamp)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    const stored = new Map(this.#messages.map((message) => [placeOf(message), message]))
    const offsets = this.#sent.map((each) => stored.get(placeOf(each))?.logOffset)
    expect(offsets).toEqual(
      this.#sent.map(({ offsetMsgId }) => Number(parseOffsetId(offsetMsgId).logOffset)),
    )
    const hosts = new Set(this.#messages.map(({ storeHost }) => storeHost))
    expect([...hosts]).toEqual([`/${this.#addr}`])
  }

  async checkTags(): Promise<void> {
    const tags = ['order-created', 'Größe']
    for (const topic of [plainTopic, batchTopic]) {
      const found = await this.#traveller.tagged(this.#addr, topic, tags)
      const wanted = this.#messages.filter(
        (each) => each.topic === topic && tags.includes(each.tags ?? ''),
      )
      expect(wanted.length).toBeGreaterThan(40)
      expect(found).toEqual(wanted)
    }
  }

  checkBounds(): void {
    expect(this.#queues.filter(({ topic }) => topic === plainTopic)).toHaveLength(4)
    for (const queue of this.#queues) {
      const { queueId, topic } = queue
      const messages = this.#inQueue(topic, queueId)
      expect(messages.map(({ queueOffset }) => queueOffset)).toEqual(range(0, messages.length))
      const maxOffset = messages.length
      const lastUpdate = messages.at(-1)?.storeTimestamp ?? 0
      const earliest = messages[0]?.storeTimestamp ?? -1
      expect(queue).toEqual({
        ...{ topic, queueId, maxOffset, lastUpdate, earliest },
        ...{ minOffset: 0, askedMin: 0, askedMax: maxOffset },
      })
    }
  }

  async checkTimes(): Promise<void> {
    const all = this.#messages.map(({ storeTimestamp }) => storeTimestamp).sort((a, b) => a - b)
    const some = range(0, 12).map((i) => all[Math.floor((i * all.length) / 12)] ?? 0)
    const times = [...new Set([1, ...some, (all.at(-1) ?? 0) + 1])]
    for (const topic of [plainTopic, batchTopic]) {
      const found = await this.#traveller.times(this.#addr, topic, times)
      expect(found.length).toBeGreaterThan(times.length)
      expect(found).toEqual(
        found.map(({ queueId, at }) => {
          const stored = this.#inQueue(topic, queueId).map((each) => each.storeTimestamp)
          const after = stored.filter((time) => time < at).length
          const before = stored.filter((time) => time <= at).length
          return { queueId, at, lower: after, upper: Math.max(0, before - 1) }
        }),
      )
    }
  }

  async checkGroups(): Promise<void> {
    expect(this.#offsets.size).toBeGreaterThan(0)
    for (const [group, offsets] of this.#offsets) {
      const found = await this.#traveller.committed(this.#addr, group, plainTopic)
      expect([group, found]).toEqual([group, offsets])
    }
  }

  async checkIds(): Promise<void> {
    for (const topic of topics) {
      const some = this.#someOf(topic)
      const found = await this.#traveller.byIds(
        topic,
        some.map(({ offsetMsgId }) => offsetMsgId),
      )
      expect(found.map(placeOf)).toEqual(some.map(placeOf))
    }
    const [first] = this.#someOf(plainTopic)
    const shown = await this.#admin.run(
      ...['queryMsgById', '-t', plainTopic, '-i', first?.offsetMsgId ?? ''],
    )
    expect(shown.join('\n')).toContain(first?.msgId)
  }

  async checkKeys(): Promise<void> {
    for (const topic of topics) {
      const some = this.#someOf(topic)
      const withOwnId = some.filter(({ msgId }) => this.#countOfId(msgId) === 1)
      const byUniqueKey = await this.#traveller.byIds(
        topic,
        withOwnId.map(({ msgId }) => msgId),
      )
      expect(byUniqueKey.map(placeOf)).toEqual(withOwnId.map(placeOf))
      const keys = [...new Set(some.flatMap(({ keys }) => keys.split(' ')))]
      const byKeys = await this.#traveller.byKeys(topic, keys)
      for (const key of keys) {
        const found = this.#foundPlaces(byKeys.filter(({ asked }) => asked === key))
        expect([key, found]).toEqual([key, this.#placesOfKey(topic, key)])
      }
    }
    await this.#checkKeysInAdmin()
  }

  /** Apache adds keys once more that the index of a killed broker knows already. */
  #foundPlaces(found: readonly TravelMessage[]): string[] {
    const places = found.map(placeOf).sort()
    return this.#family === apache ? [...new Set(places)] : places
  }

  /** Not the last one: mqadmin cannot show a message whose body is empty. */
  async #checkKeysInAdmin(): Promise<void> {
    const { index = 0, msgId = '' } = this.#someOf(plainTopic).at(-2) ?? {}
    const topic = ['-t', plainTopic]
    const byKey = await this.#admin.run('queryMsgByKey', ...topic, '-k', `schlüssel${index}`)
    expect(byKey.join('\n')).toContain(msgId)
    const byUniqueKey = await this.#admin.run('queryMsgByUniqueKey', ...topic, '-i', msgId)
    expect(byUniqueKey.join('\n')).toContain(`key${index}`)
  }

  /** Waits until messages that earlier brokers took have become due: each comes once. */
  async checkDelayed(): Promise<void> {
    let messages: TravelMessage[] = []
    const areAllThere = async (): Promise<boolean> => {
      messages = (await this.#traveller.read(this.#addr, [delayedTopic])).messages
      return messages.length >= this.#delayed.length
    }
    await poll(`${this.#delayed.length} delayed messages`, areAllThere)
    expect(messages.map(({ msgId }) => msgId).sort()).toEqual([...this.#delayed].sort())
    for (const { bornTimestamp, storeTimestamp, reconsumeTimes } of messages) {
      expect(storeTimestamp - bornTimestamp).toBeGreaterThanOrEqual(delayMs - clockStepMs)
      expect(reconsumeTimes).toBe(0)
    }
  }

  // ---- what happens to it

  async delay(): Promise<void> {
    await makeTopic({ namesrv: this.#namesrv, broker: this.#addr }, delayedTopic, 1)
    const producer = new DefaultProducer({
      ...{ group: 'travel-delays', namesrvAddr: this.#namesrv, sendTimeoutMs: 10_000 },
    })
    await producer.start()
    for (const index of range(0, delayedCount)) {
      const body = `delayed ${index}`
      this.#delayed.push((await producer.send({ topic: delayedTopic, body, delayLevel })).msgId)
    }
    await producer.close()
  }

  async add(leg: number): Promise<void> {
    const first = leg * numbersPerLeg
    const isApache = this.#family === apache
    const sent = await this.#traveller.write(first, !isApache)
    await this.#traveller.sendBack(leg, 3, this.#addr, 'soon')
    await this.#commit(`travel-group-${leg}`, leg)
    await this.#changeTables(leg)
    await this.#read()
    this.#sent.push(...(isApache ? this.#withBatchIds(sent) : sent))
  }

  /** Apache 5.3 gives all messages of a batch the id of the batch, in the place of their own. */
  #withBatchIds(sent: readonly TravelSent[]): TravelSent[] {
    const ids = new Map(this.#messages.map((message) => [placeOf(message), message.msgId]))
    return sent.map((each) => {
      const msgId = ids.get(placeOf(each))
      return each.topic === batchTopic && msgId !== undefined ? { ...each, msgId } : each
    })
  }

  async #commit(group: string, leg: number): Promise<void> {
    const offsets = plainQueues.map((queueId) => (leg + 1) * 10 + queueId)
    await this.#traveller.commit(group, plainTopic, offsets)
    expect(await this.#traveller.committed(this.#addr, group, plainTopic)).toEqual(offsets)
    this.#offsets.set(group, offsets)
  }

  async #changeTables(leg: number): Promise<void> {
    await this.#admin.run(
      ...['updateTopic', '-b', this.#addr, '-t', `travel-settings-${leg}`],
      ...['-r', String(leg + 3), '-w', String(leg + 2), '-p', '4'],
    )
    await this.#admin.run(
      ...['updateSubGroup', '-b', this.#addr, '-g', `travel-settings-${leg}`],
      ...['-s', 'true', '-m', 'false', '-r', String(leg + 5), '-q', String(leg + 2), '-w', '3'],
    )
  }

  async stop(): Promise<void> {
    await this.#current.stop()
  }

  /** Kills the broker in the midst of messages that come in. */
  async kill(leg: number): Promise<void> {
    const { child } = this.#current
    await poll('saving of all offsets', async () => this.#areOffsetsSaved())
    await this.#traveller.load(leg * numbersPerLeg + firstOfLoad, loadTopic, loadThreads)
    await this.#traveller.untilSent(loadCount)
    child.kill()
    await child.ended
    const { lost, sent } = await this.#traveller.rest()
    expect(sent.length).toBeGreaterThanOrEqual(loadCount)
    this.#sent.push(...sent)
    for (const index of lost) this.#lost.add(index)
  }

  /** That it can be used further, and what the next broker must find in it. */
  checkTables(): void {
    expect(this.#savedOffsets()).toEqual(this.#offsets)
    const tables = this.#store.savedTables((name) => name.includes('travel-'))
    for (const [name, entry] of this.#tables)
      expect([name, tables.get(name)]).toEqual([name, entry])
    this.#tables = tables
  }

  checkApacheLog(): void {
    const { home } = this.#current
    const bad = logText(logDirOf(home))
      .split('\n')
      .filter((line) => / ERROR /.test(line) && !isAboutOthers(line))
    expect(bad).toEqual([])
  }

  // ---- what is known

  #savedOffsets(): Map<string, number[] | undefined> {
    const groups = [...this.#offsets.keys()]
    return new Map(groups.map((group) => [group, this.#store.savedOffsets(group, plainTopic)]))
  }

  #areOffsetsSaved(): boolean {
    return isDeepStrictEqual(this.#savedOffsets(), this.#offsets)
  }

  get #current(): Broker {
    if (this.#broker === undefined) throw new Error('no broker has been started')
    return this.#broker
  }

  get #addr(): string {
    return this.#current.addr
  }

  #inQueue(topic: string, queueId: number): TravelMessage[] {
    return this.#messages.filter((each) => each.topic === topic && each.queueId === queueId)
  }

  /** Acknowledged messages of a topic, from its beginning, middle and end. */
  #someOf(topic: string): TravelSent[] {
    const all = this.#sent.filter((each) => each.topic === topic)
    const some = [0, all.length >> 2, all.length >> 1, all.length - 1].map((at) => all[at])
    return [...new Set(some)].filter((each) => each !== undefined)
  }

  #countOfId(msgId: string): number {
    return this.#messages.filter((each) => each.msgId === msgId).length
  }

  #placesOfKey(topic: string, key: string): string[] {
    return this.#messages
      .filter((each) => each.topic === topic && each.keys.split(' ').includes(key))
      .map(placeOf)
      .sort()
  }
}

/** Apache's check of transactions complains when it is stopped, its network of clients that left. */
function isAboutOthers(line: string): boolean {
  return line.includes('[TransactionalMessageCheckService]') || line.includes(' RocketmqRemoting ')
}

function placeOf(message: {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
}): string {
  return `${message.topic}:${message.queueId}@${message.queueOffset}`
}

function whatWasSent(message: TravelSent | TravelMessage | undefined): object | undefined {
  if (message === undefined) return undefined
  const { bodySha256, flag, index, keys, msgId, tags, text, topic } = message
  return { bodySha256, flag, index: Number(index), keys, msgId, tags, text, topic }
}
