/**
 * Transactions of the unmodified Java client on our broker, and of our client on Apache's: what is
 * committed is stored once, what is rolled back never, and when a producer is killed another of its
 * group answers for it.
 */
import { type LocalState, TransactionProducer } from '@rockhopper/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { Child, endAll } from '../processes/child.ts'
import { apache, gentleJvm, logDirOf, logTail } from './apache.ts'
import { indexesOf, range } from './expectations.ts'
import { type ClientVersion, JavaClient, type JavaConsumer } from './java-client.ts'
import { ours } from './ours.ts'
import { patienceMs } from './patience.ts'
import type { Server, ServerFamily } from './server.ts'
import { classPath } from './toolchain.ts'
import { makeTopic } from './wire.ts'
import { makeDir } from './workplace.ts'

const COUNT = 30
const GROUP = 'travelling-payments'
/**
 * Instead of 6 s, 30 s and 15: a Java producer may miss its first heartbeat, and is known 30 s later.
 */
const settings = {
  transactionTimeOut: '2000',
  transactionCheckInterval: '2000',
  transactionCheckMax: '60',
}

/** What becomes of a transaction in the end; `Transactions.java` has the same rule. */
function isCommitted(index: number): boolean {
  return index % 3 === 0 || (index % 3 === 2 && index % 2 === 0)
}

const wanted = range(0, 2 * COUNT).filter(isCommitted)

/** What a producer knows when it is asked: one that is to go must leave its questions to others. */
type Answers = 'verdicts' | 'nothing'

class Stage {
  readonly topic = 'travelling-orders'
  readonly namesrv: string

  private constructor(namesrv: Server) {
    this.namesrv = namesrv.addr
  }

  static async open(family: ServerFamily): Promise<Stage> {
    const stage = new Stage(await family.startNameServer(inject('runDir')))
    const broker = await family.startBroker(inject('runDir'), {
      ...{ namesrv: stage.namesrv, name: 'transactions-a', clusterName: 'Travel', settings },
    })
    await makeTopic({ namesrv: stage.namesrv, broker: broker.addr }, stage.topic, 2)
    return stage
  }

  javaProducer(version: ClientVersion, from: number, answers: Answers): Child {
    const home = makeDir(inject('runDir'), 'java-transactions')
    const { namesrv, topic } = this
    const numbers = { from: String(from), count: String(COUNT) }
    const flags = { namesrv, topic, group: GROUP, ...numbers, answers }
    return new Child({
      name: `Java transaction producer ${version} from ${from}`,
      command: 'java',
      args: [
        ...gentleJvm,
        ...['-Xms32m', '-Xmx192m', `-Duser.home=${home}`],
        ...['-cp', classPath(version === '4.9.8' ? 'apache-4' : 'apache-5'), 'Transactions'],
        ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
      ],
      env: { NAMESRV_ADDR: '' },
      explain: () => logTail(logDirOf(home)),
    })
  }

  ourProducer(asked: string[], answers: Answers): TransactionProducer<number> {
    const verdict = (index: number): LocalState => (isCommitted(index) ? 'commit' : 'rollback')
    return new TransactionProducer<number>({
      group: GROUP,
      namesrvAddr: this.namesrv,
      sendTimeoutMs: 10_000,
      listener: {
        executeLocalTransaction: (_message, index) =>
          index % 3 === 2 ? 'unknown' : verdict(index),
        checkLocalTransaction: ({ properties }) => {
          const index = properties['index'] ?? ''
          asked.push(index)
          return answers === 'verdicts' ? verdict(Number(index)) : 'unknown'
        },
      },
    })
  }

  consume(): Promise<JavaConsumer> {
    const { namesrv, topic } = this
    const runDir = inject('runDir')
    const client = new JavaClient({ runDir, version: '5.3.3', header: 'JSON', namesrv })
    return client.consume({ topic, group: `${GROUP}-readers` })
  }
}

/**
 * Each index, and nothing else; from our broker each once, from places that are all different. Apache's
 * commits again what it asks about before it has noted an earlier answer.
 */
async function expectCommitted(consumer: JavaConsumer, isOurs: boolean): Promise<void> {
  const received = (): Set<number> => new Set(indexesOf(consumer.messages))
  const areThere = (): boolean => received().size >= wanted.length
  await consumer.until('all that was committed', areThere)
  expect([...received()]).toEqual(wanted)
  await consumer.stop()
  if (!isOurs) return
  const places = consumer.messages.map(({ queueId, queueOffset }) => `${queueId}:${queueOffset}`)
  expect(places).toHaveLength(wanted.length)
  expect(new Set(places).size).toBe(wanted.length)
}

function isDone(child: Child): true | undefined {
  return child.lines.some((line) => line.startsWith('{"event":"done"')) ? true : undefined
}

function askedIn(child: Child): number[] {
  const lines = child.lines.filter((line) => line.startsWith('{"event":"asked"'))
  return lines.map((line) => JSON.parse(line).index)
}

afterAll(endAll)

describe.each<ClientVersion>(['4.9.8', '5.3.3'])('Java producers %s on our broker', (version) => {
  let stage: Stage

  beforeAll(async () => {
    stage = await Stage.open(ours)
  })

  test('end their transactions, and answer for one that was killed', async () => {
    const first = stage.javaProducer(version, 0, 'nothing')
    await first.waitFor('end of its transactions', () => isDone(first), patienceMs)
    first.kill()
    const second = stage.javaProducer(version, COUNT, 'verdicts')
    await second.waitFor('end of its transactions', () => isDone(second), patienceMs)
    await expectCommitted(await stage.consume(), true)
    const asked = askedIn(second)
    const orphans = range(0, COUNT).filter((index) => index % 3 === 2)
    expect(asked).toEqual(expect.arrayContaining(orphans))
    second.closeInput()
    await second.end(patienceMs)
  })
})

describe.each([
  ['our', ours],
  ["Apache's", apache],
] as const)('our producers on %s broker', (_whose, family) => {
  let stage: Stage

  beforeAll(async () => {
    stage = await Stage.open(family)
  })

  test('end their transactions, and answer for one that is gone', async () => {
    const send = async (producer: TransactionProducer<number>, from: number): Promise<void> => {
      await producer.start()
      for (const index of range(from, from + COUNT)) {
        const properties = { index: String(index) }
        const message = { topic: stage.topic, body: `transaction ${index}`, properties }
        const result = await producer.sendInTransaction(message, index)
        expect(result.status).toBe('SEND_OK')
      }
    }
    const first = stage.ourProducer([], 'nothing')
    await send(first, 0)
    await first.close()
    const asked: string[] = []
    const second = stage.ourProducer(asked, 'verdicts')
    await send(second, COUNT)
    await expectCommitted(await stage.consume(), family === ours)
    const orphans = range(0, COUNT).filter((index) => index % 3 === 2)
    expect(asked.map(Number)).toEqual(expect.arrayContaining(orphans))
    await second.close()
  })
})
