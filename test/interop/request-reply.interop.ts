/**
 * Requests and replies between the unmodified Java client and ours, in both directions, on our broker
 * and on Apache's: each request gets its own reply, and one that nobody answers says so.
 */
import { DefaultProducer, PushConsumer } from '@rockhopper/client'
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest'
import { Child, endAll } from '../processes/child.ts'
import { apache, gentleJvm, logDirOf, logTail } from './apache.ts'
import { range } from './expectations.ts'
import type { ClientVersion } from './java-client.ts'
import { ours } from './ours.ts'
import { patienceMs } from './patience.ts'
import type { Server, ServerFamily } from './server.ts'
import { classPath } from './toolchain.ts'
import { makeTopic } from './wire.ts'
import { makeDir } from './workplace.ts'

const COUNT = 20
/** As many as a Java client believes in until it has a route: on a busy machine it sends before. */
const QUEUES = 4
/** What `Questions.java` adds to each third body, so that it is compressed. */
const PADDING = 'x'.repeat(6_000)

interface Told {
  readonly event: string
  readonly index: number
  readonly text: string
}

/** How both sides name and send. */
interface Way {
  readonly namespace?: string
  readonly compressType?: 'lz4'
}

class Stage {
  readonly namesrv: string
  readonly broker: Server
  readonly #closing: (() => Promise<void>)[] = []
  #topics = 0

  private constructor(namesrv: Server, broker: Server) {
    this.namesrv = namesrv.addr
    this.broker = broker
  }

  static async open(family: ServerFamily): Promise<Stage> {
    const namesrv = await family.startNameServer(inject('runDir'))
    const broker = await family.startBroker(inject('runDir'), {
      ...{ namesrv: namesrv.addr, name: 'questions-a', clusterName: 'Quiz' },
    })
    return new Stage(namesrv, broker)
  }

  async topic({ namespace }: Way = {}): Promise<string> {
    const topic = `questions-${++this.#topics}`
    const prefix = namespace === undefined ? '' : `${namespace}%`
    await makeTopic({ namesrv: this.namesrv, broker: this.broker.addr }, prefix + topic, QUEUES)
    return topic
  }

  java(version: ClientVersion, given: Readonly<Record<string, string>>, way: Way): Child {
    const home = makeDir(inject('runDir'), 'java-questions')
    const { compressType, namespace } = way
    const flags = { ...given, ...(namespace === undefined ? {} : { namespace }) }
    const all = { namesrv: this.namesrv, ...flags }
    const codec = compressType === undefined ? 'ZLIB' : compressType.toUpperCase()
    const child = new Child({
      name: `Java ${version} that is to ${given['role']}`,
      command: 'java',
      args: [
        ...gentleJvm,
        ...['-Xms32m', '-Xmx192m', `-Duser.home=${home}`],
        `-Drocketmq.message.compressType=${codec}`,
        ...['-cp', classPath(version === '4.9.8' ? 'apache-4' : 'apache-5'), 'Questions'],
        ...Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]),
      ],
      env: { NAMESRV_ADDR: '' },
      explain: () => logTail(logDirOf(home)),
    })
    this.#closing.push(async () => {
      child.closeInput()
      await child.end(patienceMs)
    })
    return child
  }

  async javaAnswers(version: ClientVersion, topic: string, way: Way = {}): Promise<Child> {
    const names = { role: 'answer', group: `${topic}-answerers`, topic }
    const child = this.java(version, names, way)
    await child.waitFor('start', () => toldBy(child, 'ready')[0], patienceMs)
    return child
  }

  async javaAsks(version: ClientVersion, topic: string, way: Way = {}): Promise<readonly Told[]> {
    const sync = String(version === '4.9.8')
    const numbers = { from: '0', count: String(COUNT), wait: String(patienceMs), sync }
    const names = { role: 'ask', group: `${topic}-askers`, topic }
    const child = this.java(version, { ...names, ...numbers }, way)
    await child.waitFor('end of its requests', () => toldBy(child, 'done')[0], 2 * patienceMs)
    expect(toldBy(child, 'unanswered')).toMatchObject([{ index: COUNT }])
    expect(toldBy(child, 'unanswered')[0]?.text).toMatch(/(?:wait|no) reply message/)
    return toldBy(child, 'replied').sort((a, b) => a.index - b.index)
  }

  async weAnswer(topic: string, { namespace = '' }: Way = {}): Promise<void> {
    const options = { group: `${topic}-answerers`, namesrvAddr: this.namesrv, namespace }
    const consumer = new PushConsumer({ ...options, consumeFromWhere: 'first' })
    consumer.subscribe(topic, '*', async (message, context) => {
      await context.reply(message, `ours:${message.body}`, { properties: { colour: 'blue' } })
    })
    await consumer.start()
    this.#closing.push(() => consumer.close())
  }

  async weAsk(topic: string, way: Way = {}): Promise<readonly Told[]> {
    const options = { group: `${topic}-askers`, namesrvAddr: this.namesrv, ...way }
    const producer = new DefaultProducer(options)
    await producer.start()
    this.#closing.push(() => producer.close())
    const requests = range(0, COUNT).map(async (index) => {
      const properties = { index: String(index) }
      const message = { topic, body: questionOf(index), properties }
      const reply = await producer.request(message, { timeoutMs: patienceMs })
      const text = `${reply.body} ${reply.properties['colour']}`
      return { event: 'replied', index, text }
    })
    return await Promise.all(requests)
  }

  async clear(): Promise<void> {
    for (const close of this.#closing.splice(0)) await close()
  }
}

function toldBy(child: Child, event: string): Told[] {
  const lines = child.lines.filter((line) => line.startsWith(`{"event":"${event}"`))
  return lines.map((line) => JSON.parse(line))
}

function questionOf(index: number): string {
  return `question ${index}${index % 3 === 0 ? PADDING : ''}`
}

function repliesOf(whose: string, colour: string): Told[] {
  return range(0, COUNT).map((index) => {
    return { event: 'replied', index, text: `${whose}:${questionOf(index)} ${colour}` }
  })
}

afterAll(endAll)

describe.each([
  ['our', ours],
  ["Apache's", apache],
] as const)('on %s broker', (_whose, family) => {
  let stage: Stage

  beforeAll(async () => {
    stage = await Stage.open(family)
  })

  afterEach(() => stage.clear())

  describe.each<ClientVersion>(['4.9.8', '5.3.3'])('the Java client %s', (version) => {
    test('gets a reply of ours to each of its requests', async () => {
      const topic = await stage.topic()
      await stage.weAnswer(topic)
      expect(await stage.javaAsks(version, topic)).toEqual(repliesOf('ours', 'blue'))
    })

    test('replies to each request of ours', async () => {
      const topic = await stage.topic()
      const child = await stage.javaAnswers(version, topic)
      expect(await stage.weAsk(topic)).toEqual(repliesOf('java', 'green'))
      expect(toldBy(child, 'unreplied')).toEqual([])
    })

    test('does both in a namespace, with bodies compressed as both can', async () => {
      const way: Way = {
        namespace: 'shop',
        ...(version === '5.3.3' ? { compressType: 'lz4' } : {}),
      }
      const first = await stage.topic(way)
      await stage.weAnswer(first, way)
      expect(await stage.javaAsks(version, first, way)).toEqual(repliesOf('ours', 'blue'))
      const second = await stage.topic(way)
      const child = await stage.javaAnswers(version, second, way)
      expect(await stage.weAsk(second, way)).toEqual(repliesOf('java', 'green'))
      expect(toldBy(child, 'unreplied')).toEqual([])
    })

    test('gets a reply of its own kind', async () => {
      const topic = await stage.topic()
      await stage.javaAnswers(version, topic)
      expect(await stage.javaAsks(version, topic)).toEqual(repliesOf('java', 'green'))
    })
  })
})
