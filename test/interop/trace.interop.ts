/**
 * Traces of messages: what our clients and the unmodified Java clients write, on Apache's broker and
 * on ours, is read by Apache's mqadmin and by ours, and both print the same.
 */
import { PushConsumer, type TransactionListener, TransactionProducer } from '@rockhopper/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { Child, endAll } from '../processes/child.ts'
import { apache, gentleJvm, logDirOf, logTail } from './apache.ts'
import type { ClientVersion } from './java-client.ts'
import { type AdminTool, MqAdmin } from './mqadmin.ts'
import { openOurAdmin } from './our-mqadmin.ts'
import { ours } from './ours.ts'
import { patienceMs } from './patience.ts'
import type { ServerFamily } from './server.ts'
import { classPath } from './toolchain.ts'
import { makeTopic } from './wire.ts'
import { makeDir } from './workplace.ts'

const COUNT = 3

/** Clients that have sent and consumed, and the ids of their messages: the last is a transaction. */
interface Traced {
  readonly ids: readonly string[]
  readonly producer: string
  readonly consumer: string
  close(): Promise<void>
}

class Stage {
  readonly java: AdminTool
  readonly our: AdminTool
  readonly #namesrv: string
  readonly #broker: string

  private constructor(namesrv: string, broker: string, java: AdminTool) {
    this.#namesrv = namesrv
    this.#broker = broker
    this.java = java
    this.our = openOurAdmin(inject('runDir'), namesrv)
  }

  static async open(family: ServerFamily): Promise<Stage> {
    const runDir = inject('runDir')
    const { addr: namesrv } = await family.startNameServer(runDir)
    const broker = await family.startBroker(runDir, {
      ...{ namesrv, name: 'traces-a', clusterName: 'Traces' },
      settings: { traceTopicEnable: 'true' },
    })
    return new Stage(namesrv, broker.addr, await MqAdmin.open(runDir, namesrv))
  }

  async #topic(name: string): Promise<{ topic: string; producer: string; consumer: string }> {
    const topic = `traced-${name}`
    await makeTopic({ namesrv: this.#namesrv, broker: this.#broker }, topic, 1)
    return { topic, producer: `senders-${name}`, consumer: `readers-${name}` }
  }

  async javaClients(version: ClientVersion): Promise<Traced> {
    const names = await this.#topic(`java-${version.replaceAll('.', '-')}`)
    const home = makeDir(inject('runDir'), 'java-traced')
    const flags = { namesrv: this.#namesrv, ...names, count: String(COUNT) }
    const child = new Child({
      name: `Java clients ${version} that leave traces`,
      command: 'java',
      args: [
        ...gentleJvm,
        ...['-Xms32m', '-Xmx192m', `-Duser.home=${home}`],
        ...['-cp', classPath(version === '4.9.8' ? 'apache-4' : 'apache-5'), 'Traced'],
        ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
      ],
      env: { NAMESRV_ADDR: '' },
      explain: () => logTail(logDirOf(home)),
    })
    const textsOf = (event: string): string[] =>
      child.lines
        .filter((line) => line.startsWith(`{"event":"${event}"`))
        .map((line) => JSON.parse(line).text)
    const isDone = (): true | undefined => (textsOf('consumed').length > COUNT ? true : undefined)
    await child.waitFor('end of its handlers', isDone, patienceMs)
    const close = async (): Promise<void> => {
      child.closeInput()
      await child.end(patienceMs)
    }
    return { ...names, ids: textsOf('sent'), close }
  }

  async ourClients(): Promise<Traced> {
    const { topic, ...groups } = await this.#topic('ours')
    const observed = { namesrvAddr: this.#namesrv, messageTrace: true }
    const listener: TransactionListener = {
      executeLocalTransaction: () => 'commit',
      checkLocalTransaction: () => 'commit',
    }
    const producer = new TransactionProducer({ ...observed, group: groups.producer, listener })
    await producer.start()
    const messages = Array.from({ length: COUNT }, (_, i) => {
      return { topic, body: `message ${i}`, tag: 'TagA', keys: `k${i}` }
    })
    const ids: string[] = []
    for (const message of messages) ids.push((await producer.send(message)).msgId)
    const last = { topic, body: 'message in a transaction', keys: 'last' }
    ids.push((await producer.sendInTransaction(last, undefined)).msgId)
    const consumer = new PushConsumer({
      ...{ ...observed, group: groups.consumer, consumeFromWhere: 'first' },
    })
    const consumed = new Promise<void>((resolve) => {
      let count = 0
      consumer.subscribe(topic, '*', ({ keys, reconsumeTimes }, context) => {
        context.delayLevelWhenNextConsume = 1
        if (keys.includes('k0') && reconsumeTimes === 0) throw new Error('not yet')
        if (++count > COUNT) resolve()
      })
    })
    await consumer.start()
    await consumed
    const close = async (): Promise<void> => {
      await Promise.all([producer.close(), consumer.close()])
    }
    return { ...groups, ids, close }
  }

  /** What each of the two tools prints of a message, its columns apart by one blank. */
  async printed(id: string): Promise<{ java: string[]; our: string[] }> {
    const [java, our] = await Promise.all([
      this.java.run('queryMsgTraceById', '-i', id),
      this.our.run('queryMsgTraceById', '-i', id),
    ])
    return { java: java.map(plain), our: our.map(plain) }
  }
}

function plain(line: string): string {
  return line.trim().replace(/ +/g, ' ')
}

const TITLES = {
  sent: '#Type #ProducerGroup #ClientHost #SendTime #CostTimes #Status',
  consumed: '#Type #ConsumerGroup #ClientHost #ConsumerTime #CostTimes #Status',
}

/** Types, groups and ends of the lines below titles. */
function rowsOf(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.replace(/^(\S+ \S+) .* (\S+)$/, '$1 $2'))
}

afterAll(endAll)

const families = [apache, ours].map((family) => [family.label, family] as const)

describe.each(families)('on %s', (_label, family) => {
  let stage: Stage

  beforeAll(async () => {
    stage = await Stage.open(family)
  })

  test.each([
    ['our clients', () => stage.ourClients()],
    ['Java clients 5.3.3', () => stage.javaClients('5.3.3')],
    ['Java clients 4.9.8', () => stage.javaClients('4.9.8')],
  ] as const)('both tools read the traces of %s, and print the same', async (_name, clients) => {
    const { ids, producer, consumer, close } = await clients()
    await close()
    expect(ids).toHaveLength(COUNT + 1)
    for (const [at, id] of ids.entries()) {
      const tries = at === 0 ? ['failed', 'success'] : ['success']
      const wanted = [`Pub ${producer} success`, ...tries.map((end) => `Sub ${consumer} ${end}`)]
      await expect
        .poll(async () => rowsOf((await stage.printed(id)).our).sort(), { timeout: patienceMs })
        .toEqual(wanted)
      const { java, our } = await stage.printed(id)
      expect(java.filter((line) => line.startsWith('#'))).toEqual([TITLES.sent, TITLES.consumed])
      expect([...our].sort()).toEqual([...java].sort())
    }
  })
})
