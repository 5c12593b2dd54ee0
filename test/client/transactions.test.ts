/** Transactions from producer to consumer, on simulated machines that may die. */
import {
  type Broker,
  completeBrokerConfig,
  readBrokerConfig,
  startBroker,
} from '@rockhopper/broker'
import {
  type LocalState,
  PushConsumer,
  type ReceivedMessage,
  type TransactionListener,
  TransactionProducer,
} from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'

const TOPIC = 'orders'
const PORT = 9876

/** Answers as the test says, and remembers what it was asked. */
class Ledger implements TransactionListener<LocalState> {
  readonly executed: string[] = []
  readonly checked: ReceivedMessage[] = []
  /** What is answered to questions. */
  answer: () => LocalState | Promise<LocalState> = () => 'commit'

  executeLocalTransaction(_message: unknown, arg: LocalState, transactionId: string): LocalState {
    this.executed.push(transactionId)
    return arg
  }

  checkLocalTransaction(message: ReceivedMessage): LocalState | Promise<LocalState> {
    this.checked.push(message)
    return this.answer()
  }
}

class Cluster {
  readonly world: SimWorld = createWorld(5)
  readonly namesrvAddr: string
  readonly got: string[] = []

  private constructor() {
    this.namesrvAddr = `${this.world.host('namesrv').ip}:${PORT}`
  }

  static async open(settings = ''): Promise<Cluster> {
    const cluster = new Cluster()
    const { doors } = cluster.world.host('namesrv')
    const text = `bindAddress=0.0.0.0\nlistenPort=${PORT}`
    await cluster.run(startNamesrv(doors, readNamesrvConfig(text, 'the test').values))
    await cluster.openBroker(settings)
    return cluster
  }

  async openBroker(settings = ''): Promise<Broker> {
    const { doors, ip } = this.world.host('broker-a')
    const text =
      `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${this.namesrvAddr}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304\n${settings}`
    const config = completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
    return await this.run(startBroker(doors, config))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  pass(ms: number): Promise<void> {
    return this.world.clock.advance(ms)
  }

  async producer(
    listener: TransactionListener<LocalState>,
    name = 'producer',
  ): Promise<TransactionProducer<LocalState>> {
    const { namesrvAddr } = this
    const host = this.world.host(name).doors
    const producer = new TransactionProducer({ group: 'senders', namesrvAddr, host, listener })
    await this.run(producer.start())
    await this.pass(1_000)
    return producer
  }

  async consumer(): Promise<PushConsumer> {
    const { namesrvAddr } = this
    const host = this.world.host('consumer').doors
    const consumer = new PushConsumer({
      group: 'shop',
      namesrvAddr,
      host,
      consumeFromWhere: 'first',
    })
    consumer.subscribe(TOPIC, '*', (message) => {
      this.got.push(message.body.toString())
    })
    await this.run(consumer.start())
    return consumer
  }
}

describe('a message that is sent in a transaction', () => {
  test('is consumed when the local transaction commits', async () => {
    const cluster = await Cluster.open()
    const ledger = new Ledger()
    const producer = await cluster.producer(ledger)
    const message = { topic: TOPIC, body: 'paid', tag: 'red', keys: 'k' }
    const result = await cluster.run(producer.sendInTransaction(message, 'commit'))
    expect(result).toMatchObject({ status: 'SEND_OK', localState: 'commit' })
    expect(ledger.executed).toEqual([result.transactionId])
    await cluster.consumer()
    await cluster.pass(60_000)
    expect(cluster.got).toEqual(['paid'])
    expect(ledger.checked).toEqual([])
  })

  test('is never consumed when it rolls back', async () => {
    const cluster = await Cluster.open()
    const ledger = new Ledger()
    const producer = await cluster.producer(ledger)
    await cluster.run(producer.sendInTransaction({ topic: TOPIC, body: 'void' }, 'rollback'))
    await cluster.run(producer.sendInTransaction({ topic: TOPIC, body: 'paid' }, 'commit'))
    await cluster.consumer()
    await cluster.pass(60_000)
    expect(cluster.got).toEqual(['paid'])
    expect(ledger.checked).toEqual([])
  })

  test('is asked about while nobody knows, and consumed when somebody does', async () => {
    const cluster = await Cluster.open()
    const ledger = new Ledger()
    const producer = await cluster.producer(ledger)
    const answers: LocalState[] = ['unknown', 'commit']
    ledger.answer = () => answers.shift() ?? 'rollback'
    const message = { topic: TOPIC, body: 'x'.repeat(10_000), properties: { own: 'yes' } }
    const sent = await cluster.run(producer.sendInTransaction(message, 'unknown'))
    await cluster.consumer()
    await cluster.pass(100_000)
    expect(cluster.got).toEqual(['x'.repeat(10_000)])
    expect(ledger.checked).toHaveLength(2)
    const [asked] = ledger.checked
    expect(asked).toMatchObject({ topic: TOPIC, msgId: sent.transactionId })
    expect(asked?.body.toString()).toBe('x'.repeat(10_000))
    expect(asked?.properties['own']).toBe('yes')
  })

  test('is not asked about before the time it wanted', async () => {
    const cluster = await Cluster.open()
    const ledger = new Ledger()
    const producer = await cluster.producer(ledger)
    const message = { topic: TOPIC, body: 'slow' }
    await cluster.run(producer.sendInTransaction(message, 'unknown', { immunityS: 60 }))
    await cluster.pass(59_000)
    expect(ledger.checked).toEqual([])
    await cluster.pass(40_000)
    expect(ledger.checked).toHaveLength(1)
  })

  test('must not have a delay', async () => {
    const cluster = await Cluster.open()
    const producer = await cluster.producer(new Ledger())
    const message = { topic: TOPIC, body: 'late', delayLevel: 3 }
    const sending = cluster.run(producer.sendInTransaction(message, 'commit'))
    await expect(sending).rejects.toThrow(/has a delay, and begins a transaction/)
  })

  test('runs nothing when the broker does not take it', async () => {
    const cluster = await Cluster.open('rejectTransactionMessage=true\n')
    const ledger = new Ledger()
    const producer = await cluster.producer(ledger)
    const sending = cluster.run(producer.sendInTransaction({ topic: TOPIC, body: 'x' }, 'commit'))
    await expect(sending).rejects.toThrow(/transaction message is forbidden/)
    expect(ledger.executed).toEqual([])
  })
})

describe('a listener that fails', () => {
  test('leaves its transaction open, says so, and is asked again', async () => {
    const cluster = await Cluster.open()
    const ledger = new Ledger()
    const listener: TransactionListener<LocalState> = {
      executeLocalTransaction: () => Promise.reject(new Error('the database is away')),
      checkLocalTransaction: (message) => ledger.checkLocalTransaction(message),
    }
    const producer = await cluster.producer(listener)
    const failures: unknown[] = []
    producer.on('listenerFailed', (failure) => failures.push(failure))
    ledger.answer = () => {
      if (ledger.checked.length === 1) throw new Error('still away')
      return 'commit'
    }
    const message = { topic: TOPIC, body: 'paid' }
    const result = await cluster.run(producer.sendInTransaction(message, 'commit'))
    expect(result.localState).toBe('unknown')
    await cluster.consumer()
    await cluster.pass(60_000)
    const { msgId } = result
    expect(failures).toEqual([
      { during: 'execute', msgId, error: new Error('the database is away') },
      { during: 'check', msgId, error: new Error('still away') },
    ])
    expect(cluster.got).toEqual(['paid'])
  })

  test('is told what it may answer', async () => {
    const cluster = await Cluster.open()
    const ledger = new Ledger()
    const producer = await cluster.producer(ledger)
    const errors: unknown[] = []
    producer.on('listenerFailed', ({ error }) => errors.push(error))
    const bad = 'COMMIT' as LocalState
    const result = await cluster.run(producer.sendInTransaction({ topic: TOPIC, body: 'x' }, bad))
    expect(result.localState).toBe('unknown')
    expect(String(errors[0])).toMatch(/answered "COMMIT": use commit, rollback or unknown/)
  })

  test('cannot be left out', async () => {
    const cluster = await Cluster.open()
    const listener = {} as TransactionListener<LocalState>
    await expect(cluster.producer(listener)).rejects.toThrow(/no listener/)
  })
})

describe('a producer that dies', () => {
  test('after the first half leaves its transaction to another of its group', async () => {
    const cluster = await Cluster.open()
    const dying = await cluster.producer(new Ledger(), 'producer-1')
    const ledger = new Ledger()
    // It never sent anything: the broker knows it all the same.
    await cluster.producer(ledger, 'producer-2')
    await cluster.run(dying.sendInTransaction({ topic: TOPIC, body: 'orphan' }, 'unknown'))
    cluster.world.host('producer-1').kill()
    await cluster.consumer()
    await cluster.pass(10_000)
    expect(ledger.checked.map(({ body }) => body.toString())).toEqual(['orphan'])
    expect(cluster.got).toEqual(['orphan'])
  })

  test('leaves what it committed as it is, when the broker dies as well', async () => {
    const cluster = await Cluster.open()
    const ledger = new Ledger()
    const producer = await cluster.producer(ledger)
    const message = { topic: TOPIC, body: 'paid' }
    await cluster.run(producer.sendInTransaction(message, 'commit'))
    await cluster.pass(100)
    cluster.world.host('producer').kill()
    cluster.world.host('broker-a').kill()
    cluster.world.host('broker-a').restart()
    await cluster.openBroker()
    await cluster.producer(ledger, 'producer-2')
    await cluster.consumer()
    await cluster.pass(100_000)
    expect(cluster.got).toEqual(['paid'])
    expect(ledger.checked).toEqual([])
  })
})

test('a producer that is closed ends the transactions that are under way', async () => {
  const cluster = await Cluster.open()
  const ledger = new Ledger()
  let finish: (state: LocalState) => void = () => undefined
  const listener: TransactionListener<LocalState> = {
    executeLocalTransaction: () => new Promise((resolve) => (finish = resolve)),
    checkLocalTransaction: (message) => ledger.checkLocalTransaction(message),
  }
  const producer = await cluster.producer(listener)
  const sending = producer.sendInTransaction({ topic: TOPIC, body: 'paid' }, 'commit')
  await cluster.pass(1_000)
  const closing = producer.close()
  await cluster.pass(1_000)
  finish('commit')
  await cluster.run(closing)
  expect((await sending).localState).toBe('commit')
  await cluster.consumer()
  await cluster.pass(60_000)
  expect(cluster.got).toEqual(['paid'])
})
