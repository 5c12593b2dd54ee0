/**
 * The unmodified Java client, either version, with either header serialization: each call runs
 * java/InteropClient.java in a JVM of its own and reads the lines it prints.
 */

import { Child } from '../processes/child.ts'
import { gentleJvm, logDirOf, logTail, logText } from './apache.ts'
import { patienceMs } from './patience.ts'
import { classPath } from './toolchain.ts'
import { makeDir } from './workplace.ts'

export type ClientVersion = '4.9.8' | '5.3.3'
export type HeaderKind = 'JSON' | 'ROCKETMQ'

export interface JavaClientOptions {
  readonly runDir: string
  readonly version: ClientVersion
  readonly header: HeaderKind
  readonly namesrv: string
}

/** How a Java producer sends: the last five are ways of choosing a queue, and of coming later. */
export type SendMode =
  | ('sync' | 'async' | 'oneway' | 'batch')
  | ('hash' | 'index' | 'random' | 'delayed' | 'timed')

/** What a Java producer was told about one message (one batch, in mode `batch`). */
export interface Sent {
  readonly mode: SendMode
  readonly index: number
  readonly msgId: string
  /** This and the fields below are absent after a one-way send. */
  readonly offsetMsgId?: string
  readonly status?: string
  readonly broker?: string
  readonly queueId?: number
  readonly queueOffset?: number
}

/** One message as a Java listener saw it. */
export interface Received {
  readonly msgId: string
  readonly topic: string
  readonly keys: string
  readonly tags: string | null
  readonly index: string
  readonly broker: string
  readonly queueId: number
  readonly queueOffset: number
  readonly storeSize: number
  readonly bornTimestamp: number
  readonly storeTimestamp: number
  readonly reconsumeTimes: number
  readonly bodySize: number
  readonly bodySha256: string
}

export interface QueueOffsets {
  readonly broker: string
  readonly queueId: number
  readonly minOffset: number
  readonly maxOffset: number
}

type Flags = Readonly<Record<string, string | number | true>>

/** Instead of the 20 s of the Java client: a heartbeat that came late costs a test less time. */
const rebalanceEveryMs = 4_000

export class JavaClient {
  readonly label: string
  readonly #options: JavaClientOptions

  constructor(options: JavaClientOptions) {
    this.#options = options
    this.label = `Java client ${options.version} with ${options.header} headers`
  }

  /**
   * Sends `count` messages in each of the modes, one mode after the other.
   * Flags: topic, count, mode, start, tags, key-prefix, body-size, batch-size, queue.
   */
  async send(flags: Flags): Promise<Sent[]> {
    return eventsOf<Sent>(await this.#call('send', flags), 'sent')
  }

  /** Looks messages up by their ids. */
  async view(topic: string, ids: readonly string[]): Promise<Received[]> {
    return eventsOf<Received>(await this.#call('view', { topic, ids: ids.join(',') }), 'viewed')
  }

  async queues(topic: string): Promise<QueueOffsets[]> {
    return eventsOf<QueueOffsets>(await this.#call('queues', { topic }), 'queue')
  }

  /**
   * Starts a push consumer in a clustering group, reading from the first message.
   * Flags: topic, group, tags, expect, timeout-ms, threads.
   */
  async consume(flags: Flags): Promise<JavaConsumer> {
    const home = makeDir(this.#options.runDir, 'java-consume')
    const child = this.#start('consume', flags, home)
    const consumer = new JavaConsumer(child, () => logText(logDirOf(home)))
    await consumer.ready()
    return consumer
  }

  /** Waits for the last line only: version 5 takes three more seconds to shut its client down. */
  async #call(command: string, flags: Flags): Promise<Child> {
    const child = this.#start(command, flags, makeDir(this.#options.runDir, `java-${command}`))
    const over = (): boolean => hasEvent(child, 'done') || hasEvent(child, 'failed')
    await child.waitFor('last line', () => (over() ? true : undefined), patienceMs)
    if (hasEvent(child, 'failed') || hasEvent(child, 'send-failed')) {
      throw child.complaint(`${command} failed`)
    }
    return child
  }

  #start(command: string, flags: Flags, home: string): Child {
    const { version, header, namesrv } = this.#options
    const jvm = [...gentleJvm, '-Xms32m', '-Xmx192m', `-Duser.home=${home}`]
    const set = version === '4.9.8' ? 'apache-4' : 'apache-5'
    return new Child({
      name: `${this.label}, ${command}`,
      command: 'java',
      args: [
        ...jvm,
        `-Drocketmq.serialize.type=${header}`,
        `-Drocketmq.client.rebalance.waitInterval=${rebalanceEveryMs}`,
        '-cp',
        classPath(set),
        'InteropClient',
        command,
        ...['--namesrv', namesrv],
        ...Object.entries(flags).flatMap(([name, value]) =>
          value === true ? [`--${name}`] : [`--${name}`, String(value)],
        ),
      ],
      env: { NAMESRV_ADDR: '' },
      explain: () => logTail(logDirOf(home)),
    })
  }
}

export class JavaConsumer {
  readonly #child: Child
  readonly #logText: () => string

  constructor(child: Child, logText: () => string) {
    this.#child = child
    this.#logText = logText
  }

  get messages(): Received[] {
    return eventsOf<Received>(this.#child, 'message')
  }

  /** The queues this instance owns now, each as `broker:queueId`. */
  get queues(): string[] {
    const last = eventsOf<{ queues: string }>(this.#child, 'assigned').at(-1)
    return last === undefined || last.queues === '' ? [] : last.queues.split(',')
  }

  /** How often a broker has told this instance that another one joined or left its group. */
  get notifications(): number {
    return this.#logText().split('changed, rebalance immediately').length - 1
  }

  /** Waits until the consumer has started; tells which header serialization it uses. */
  ready(): Promise<string> {
    return this.#child.waitFor(
      'line that tells it is ready',
      () => eventsOf<{ header: string }>(this.#child, 'ready')[0]?.header,
      patienceMs,
    )
  }

  /** Waits until `condition` holds; looks each time this consumer has printed something. */
  async until(what: string, condition: () => boolean): Promise<void> {
    await this.#child.waitFor(what, () => (condition() ? true : undefined), patienceMs)
  }

  /** Shuts the consumer down in good order and waits for its end. */
  async stop(): Promise<void> {
    this.#child.closeInput()
    const code = await this.#child.end(patienceMs)
    if (code !== 0) throw this.#child.complaint(`did not shut down in order (exit code ${code})`)
  }
}

function hasEvent(child: Child, event: string): boolean {
  return child.lines.some((line) => line.startsWith(`{"event":"${event}"`))
}

function eventsOf<T>(child: Child, event: string): T[] {
  const head = `{"event":"${event}"`
  return child.lines.filter((line) => line.startsWith(head)).map((line) => JSON.parse(line))
}
