/**
 * A Java client (5.3.3) that stays while the broker behind one address is replaced by another one
 * on the same folder: java/Traveller.java in one JVM that takes command after command.
 */
import { Child } from '../processes/child.ts'
import { gentleJvm, logDirOf, logTail } from './apache.ts'
import { patienceMs } from './patience.ts'
import { classPath } from './toolchain.ts'
import { makeDir } from './workplace.ts'

/** A message that was acknowledged: where it is, and what it was made of. */
export interface TravelSent {
  readonly index: number
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly msgId: string
  readonly offsetMsgId: string
  readonly tags: string | null
  readonly keys: string
  readonly flag: number
  readonly text: string
  readonly bodySha256: string
}

/** A message as a consumer got it: all that a record of the log says. */
export interface TravelMessage extends Omit<TravelSent, 'index' | 'offsetMsgId'> {
  /** What was asked for, in answers to a query. */
  readonly asked: string
  readonly index: string
  readonly logOffset: number
  readonly storeSize: number
  readonly sysFlag: number
  readonly bodyCrc: number
  readonly bornTimestamp: number
  readonly storeTimestamp: number
  readonly bornHost: string
  readonly storeHost: string
  readonly reconsumeTimes: number
  readonly properties: string
}

export interface TravelQueue {
  readonly topic: string
  readonly queueId: number
  /** As topicStatus shows them. */
  readonly minOffset: number
  readonly maxOffset: number
  /** As asked for one by one. */
  readonly askedMin: number
  readonly askedMax: number
  /** Store time of the newest message, ms; 0 when there is none. */
  readonly lastUpdate: number
  /** Store time of the oldest message, ms; -1 when there is none. */
  readonly earliest: number
}

/** Offsets of the first message stored at or after a time, and of the last one at or before it. */
export interface TravelTime {
  readonly queueId: number
  readonly at: number
  readonly lower: number
  readonly upper: number
}

export class Traveller {
  readonly #child: Child
  #readLines = 0

  private constructor(child: Child) {
    this.#child = child
  }

  static async open(runDir: string, namesrv: string, brokerName: string): Promise<Traveller> {
    const home = makeDir(runDir, 'java-traveller')
    const child = new Child({
      name: 'the Java traveller',
      command: 'java',
      args: [
        ...gentleJvm,
        ...['-Xms64m', '-Xmx256m', '-Dfile.encoding=UTF-8', `-Duser.home=${home}`],
        ...['-cp', classPath('apache-5'), 'Traveller', namesrv, brokerName],
      ],
      env: { NAMESRV_ADDR: '' },
      explain: () => logTail(logDirOf(home)),
    })
    const traveller = new Traveller(child)
    await traveller.#answer('start')
    return traveller
  }

  /** Sends messages of each kind, numbered from `firstIndex` on, fewer than 1,000. */
  async write(firstIndex: number, withLongTopic: boolean): Promise<TravelSent[]> {
    return eventsOf(await this.#ask('write', firstIndex, withLongTopic ? 'long' : 'short'), 'sent')
  }

  /**
   * Sends some messages of the first queue back, as a consumer that failed does: to get them again
   * at once, which is waited for, or late, after hours.
   */
  async sendBack(
    firstOffset: number,
    count: number,
    broker: string,
    when: 'soon' | 'late',
  ): Promise<void> {
    await this.#ask('back', firstOffset, count, broker, when)
  }

  /** Keeps sending until `rest`, or until a send fails. */
  async load(firstIndex: number, topic: string, threads: number): Promise<void> {
    await this.#ask('load', firstIndex, topic, threads)
  }

  /** Waits until the load has been acknowledged so many messages. */
  async untilSent(count: number): Promise<void> {
    const { lines } = this.#child
    const enough = (): true | undefined =>
      lines.slice(this.#readLines).filter(isEvent('sent')).length >= count ? true : undefined
    await this.#child.waitFor(`${count} acknowledged messages`, enough, patienceMs)
  }

  /** Ends the load; tells what was acknowledged, and the numbers of those that were not. */
  async rest(): Promise<{ sent: TravelSent[]; lost: number[] }> {
    const lines = await this.#ask('rest')
    const lost = eventsOf<{ index: number }>(lines, 'lost').map(({ index }) => index)
    return { sent: eventsOf(lines, 'sent'), lost }
  }

  async read(
    broker: string,
    topics: readonly string[],
  ): Promise<{ queues: TravelQueue[]; messages: TravelMessage[] }> {
    const lines = await this.#ask('read', broker, ...topics)
    return { queues: eventsOf(lines, 'queue'), messages: eventsOf(lines, 'message') }
  }

  /** Messages with one of some tags. */
  async tagged(broker: string, topic: string, tags: readonly string[]): Promise<TravelMessage[]> {
    return eventsOf(await this.#ask('tagged', broker, topic, tags.join(' || ')), 'message')
  }

  async times(broker: string, topic: string, times: readonly number[]): Promise<TravelTime[]> {
    return eventsOf(await this.#ask('times', broker, topic, ...times), 'time')
  }

  /** Commits the offsets of a group, by queue. */
  async commit(group: string, topic: string, offsets: readonly number[]): Promise<void> {
    await this.#ask('commit', group, topic, ...offsets)
  }

  /** The committed offsets of a group, by queue; -1 where there is none. */
  async committed(broker: string, group: string, topic: string): Promise<number[]> {
    const lines = await this.#ask('committed', broker, group, topic)
    return eventsOf<{ offset: number }>(lines, 'committed').map(({ offset }) => offset)
  }

  async byKeys(topic: string, keys: readonly string[]): Promise<TravelMessage[]> {
    return eventsOf(await this.#ask('keys', topic, ...keys), 'found')
  }

  async byIds(topic: string, ids: readonly string[]): Promise<TravelMessage[]> {
    return eventsOf(await this.#ask('ids', topic, ...ids), 'found')
  }

  close(): void {
    this.#child.kill()
  }

  #ask(...words: readonly (string | number)[]): Promise<string[]> {
    this.#child.write(`${words.join('\t')}\n`)
    return this.#answer(words.slice(0, 3).join(' '))
  }

  /** All lines up to the end of an answer. */
  async #answer(what: string): Promise<string[]> {
    const { lines } = this.#child
    const start = this.#readLines
    const end = await this.#child.waitFor(
      `answer to ${what}`,
      () => {
        const at = lines.findIndex((line, i) => i >= start && /^{"event":"(end|failed)"/.test(line))
        return at < 0 ? undefined : at
      },
      patienceMs,
    )
    this.#readLines = end + 1
    if (lines[end]?.startsWith('{"event":"failed"'))
      throw this.#child.complaint(`failed at ${what}`)
    return lines.slice(start, end)
  }
}

function eventsOf<T>(lines: readonly string[], event: string): T[] {
  return lines.filter(isEvent(event)).map((line) => {
    const { event: _, ...fields } = JSON.parse(line)
    return fields
  })
}

function isEvent(event: string): (line: string) => boolean {
  const head = `{"event":"${event}"`
  return (line) => line.startsWith(head)
}
