/**
 * Members of groups that are consumers of the unmodified Java client: all of them run in one JVM of
 * java/Consumers.java, which takes requests and prints what its consumers get.
 */
import { Child } from '../processes/child.ts'
import { gentleJvm, logDirOf, logTail } from './apache.ts'
import type { Handled, LiteMember, Member, MemberMaker } from './group-member.ts'
import type { ClientVersion } from './java-client.ts'
import { patienceMs } from './patience.ts'
import { classPath } from './toolchain.ts'
import { makeDir } from './workplace.ts'

/** Instead of 20 s: a change that a broker did not tell of costs a test less time. */
const rebalanceEveryMs = 4_000
/** Instead of 20 s: so late a lock is given back of a queue whose messages were at hand. */
const unlockDelayMs = 1_000

type Options = Readonly<Record<string, string | number | boolean | undefined>>

export function openJavaMembers(
  runDir: string,
  version: ClientVersion,
  namesrv: string,
): Promise<MemberMaker> {
  return JavaMembers.open(runDir, version, namesrv)
}

class JavaMembers implements MemberMaker {
  readonly name: string
  readonly label: string
  readonly #child: Child
  #lastStart: Promise<void> = Promise.resolve()
  #members = 0
  #requests = 0

  private constructor(child: Child, version: ClientVersion) {
    this.name = `java${version.charAt(0)}`
    this.label = `Java client ${version}`
    this.#child = child
  }

  static async open(runDir: string, version: ClientVersion, namesrv: string): Promise<JavaMembers> {
    const home = makeDir(runDir, 'java-consumers')
    const child = new Child({
      name: `consumers of Java client ${version}`,
      command: 'java',
      args: [
        ...[...gentleJvm, '-Xms32m', '-Xmx256m', `-Duser.home=${home}`],
        `-Drocketmq.client.rebalance.waitInterval=${rebalanceEveryMs}`,
        `-Drocketmq.client.unlockDelayTimeMills=${unlockDelayMs}`,
        ...['-cp', classPath(version === '4.9.8' ? 'apache-4' : 'apache-5'), 'Consumers', namesrv],
      ],
      env: { NAMESRV_ADDR: '' },
      explain: () => logTail(logDirOf(home)),
    })
    const isReady = (): true | undefined => (eventsOf(child, 'ready').length > 0 ? true : undefined)
    await child.waitFor('line that tells it is ready', isReady, patienceMs)
    return new JavaMembers(child, version)
  }

  async open({ fail, ...options }: Parameters<MemberMaker['open']>[0]): Promise<Member> {
    const { maxReconsumeTimes, handleMs, ...rest } = options
    const more = { 'max-reconsume': maxReconsumeTimes, 'handle-ms': handleMs }
    const failing = fail === undefined ? {} : { fail: `${fail.tag},${fail.times}` }
    const name = this.#newName()
    await this.#start('open', name, { ...rest, ...more, ...failing })
    return this.#member(name)
  }

  async openLite(options: Parameters<MemberMaker['openLite']>[0]): Promise<LiteMember> {
    const name = this.#newName()
    await this.#start('lite', name, { ...options })
    const request = (command: string, more: Options = {}): Promise<void> =>
      this.#request(command, name, more)
    return Object.assign(this.#member(name), {
      assign: (topic: string) => request('assign', { topic }),
      seek: (queue: string, offset: number) => request('seek', { queue, offset }),
      poll: () => request('poll'),
      commit: () => request('commit'),
    })
  }

  async close(): Promise<void> {
    this.#child.kill()
    await this.#child.ended
  }

  #member(name: string): Member {
    const child = this.#child
    const isMine = ({ member }: { member: string }): boolean => member === name
    return {
      label: this.label,
      get messages() {
        return eventsOf<Handled & { member: string }>(child, 'message').filter(isMine)
      },
      get queues() {
        const last = eventsOf<{ member: string; queues: string }>(child, 'assigned').findLast(
          isMine,
        )
        return last === undefined || last.queues === '' ? [] : last.queues.split(',')
      },
      close: () => this.#request('close', name),
    }
  }

  /** One start at a time: many at once take longer than the time limits of the Java client. */
  #start(command: string, name: string, options: Options): Promise<void> {
    const started = this.#lastStart.then(() => this.#request(command, name, options))
    this.#lastStart = started.catch(() => undefined)
    return started
  }

  #newName(): string {
    return `${this.name}-${process.pid}-${++this.#members}`
  }

  async #request(command: string, name: string, options: Options = {}): Promise<void> {
    const id = String(++this.#requests)
    const given = Object.entries(options)
      .filter(([, value]) => value !== undefined && value !== false)
      .map(([option, value]) => `${option}=${value === true ? 1 : value}`)
    this.#child.write(`${[id, command, name, ...given].join('\t')}\n`)
    const isMine = (answer: { id: string }): boolean => answer.id === id
    const refusal = await this.#child.waitFor(
      `answer to ${command} ${given.join(' ')}`,
      () =>
        eventsOf<{ id: string }>(this.#child, 'answer').some(isMine)
          ? ''
          : eventsOf<{ id: string; error: string }>(this.#child, 'refused').find(isMine)?.error,
      patienceMs,
    )
    if (refusal !== '') throw new Error(`${this.label}: ${refusal}`)
  }
}

/** What was parsed already: the facts look at all lines again and again. */
const parsed = new WeakMap<Child, { lines: number; events: Map<string, unknown[]> }>()

function eventsOf<T>(child: Child, event: string): readonly T[] {
  const known = parsed.get(child) ?? { lines: 0, events: new Map<string, unknown[]>() }
  parsed.set(child, known)
  for (; known.lines < child.lines.length; known.lines++) {
    const line = child.lines[known.lines] ?? ''
    if (!line.startsWith('{"event":')) continue
    const value: { event: string } = JSON.parse(line)
    const list = known.events.get(value.event) ?? []
    list.push(value)
    known.events.set(value.event, list)
  }
  return (known.events.get(event) ?? []) as T[]
}
