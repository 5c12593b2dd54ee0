/** Requests and their replies, between clients and brokers of this suite on simulated machines. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import {
  DefaultProducer,
  type Message,
  type ProducerOptions,
  PushConsumer,
  type ReceivedReply,
} from '@rockhopper/client'
import { type Host, pause } from '@rockhopper/host'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import { describe, expect, it } from 'vitest'
import { failure } from './scene.ts'

const TOPIC = 'questions'

class Cluster {
  readonly world: SimWorld = createWorld(11)
  readonly namesrvAddr: string
  /** What the consumer could not reply, by the code of the error. */
  readonly lost: unknown[] = []
  /** The broker that the last request came by. */
  askedBy = ''

  constructor() {
    this.namesrvAddr = `${this.world.host('namesrv').ip}:9876`
  }

  static async open(brokers: readonly string[] = ['broker-a']): Promise<Cluster> {
    const cluster = new Cluster()
    const text = 'bindAddress=0.0.0.0\nlistenPort=9876'
    const { values } = readNamesrvConfig(text, 'the test')
    await cluster.run(startNamesrv(cluster.doors('namesrv'), values))
    for (const name of brokers) await cluster.openBroker(name)
    return cluster
  }

  async openBroker(name: string): Promise<void> {
    const { doors, ip } = this.world.host(name)
    const text =
      `brokerName=${name}\nbrokerIP1=${ip}\nnamesrvAddr=${this.namesrvAddr}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304`
    const config = completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
    await this.run(startBroker(doors, config))
  }

  doors(name: string): Host {
    return this.world.host(name).doors
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  async asker(options: Partial<ProducerOptions> = {}): Promise<DefaultProducer> {
    const host = this.doors('asker')
    const { namesrvAddr } = this
    const producer = new DefaultProducer({ group: 'askers', namesrvAddr, host, ...options })
    await this.run(producer.start())
    return producer
  }

  /** A consumer that replies with what it got, after a while. */
  async answerer(waitMs = 0, decorate = (text: string) => `re: ${text}`): Promise<PushConsumer> {
    const host = this.doors('answerer')
    const { namesrvAddr } = this
    const options = { group: 'answerers', namesrvAddr, host, consumeFromWhere: 'first' } as const
    const consumer = new PushConsumer(options).subscribe(TOPIC, '*', async (message, context) => {
      if (message.body.toString() !== 'hello') this.askedBy = message.queue.brokerName
      if (waitMs > 0) await pause(host.clock, waitMs)
      try {
        const more = { tag: 'A', keys: ['k1', 'k2'], properties: { colour: 'red' } }
        await context.reply(message, decorate(message.body.toString()), more)
      } catch (error) {
        this.lost.push(error)
      }
    })
    await this.run(consumer.start())
    return consumer
  }
}

function question(body: string): Message {
  return { topic: TOPIC, body }
}

describe('a request', () => {
  it('gets the reply of a consumer, with all that it has', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    await cluster.run(asker.send(question('hello')))
    await cluster.answerer()
    const reply = await cluster.run(asker.request(question('who?'), { timeoutMs: 5_000 }))
    expect(reply.body.toString()).toBe('re: who?')
    expect(reply).toMatchObject({ tag: 'A', keys: ['k1', 'k2'], compression: 'none' })
    expect(reply.properties).toMatchObject({ colour: 'red', MSG_TYPE: 'reply', TTL: '5000' })
    expect(reply.properties['REPLY_TO_CLIENT']).toBe(asker.clientId)
    expect(reply.properties['CORRELATION_ID']).toMatch(
      /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/,
    )
    expect(reply.correlationId).toBe(reply.properties['CORRELATION_ID'])
    expect(Number(reply.properties['PUSH_REPLY_TIME'])).toBeGreaterThan(0)
    expect(Number(reply.properties['ARRIVE_TIME'])).toBe(reply.arrivedAtMs)
    // The first message was no request.
    expect(cluster.lost).toMatchObject([{ code: 'BAD_OPTION' }])
    expect(asker.openRequests).toBe(0)
  })

  it('may be one of many in flight, and each gets its own reply', async () => {
    const cluster = await Cluster.open(['broker-a', 'broker-b', 'broker-c'])
    const asker = await cluster.asker()
    await cluster.run(asker.send(question('hello')))
    await cluster.answerer(20)
    const numbers = Array.from({ length: 300 }, (_, i) => String(i))
    const asked = numbers.map((number) => asker.request(question(number), { timeoutMs: 30_000 }))
    expect(asker.openRequests).toBe(300)
    const replies: ReceivedReply[] = await cluster.run(Promise.all(asked))
    expect(replies.map(({ body }) => body.toString())).toEqual(numbers.map((n) => `re: ${n}`))
    expect(new Set(replies.map(({ correlationId }) => correlationId)).size).toBe(300)
    expect(asker.lateReplies).toBe(0)
  })

  it('may go to one queue, and long bodies are compressed on both ways', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    const { queue } = await cluster.run(asker.send(question('hello')))
    await cluster.answerer(0, (text) => text.repeat(2))
    const long = 'abc'.repeat(20_000)
    const reply = await cluster.run(asker.request(question(long), { queue, timeoutMs: 9_000 }))
    expect(reply.body.toString()).toBe(long + long)
  })

  it('that nobody replies to says so, and that it was stored', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    const error = await cluster.run(failure(asker.request(question('who?'), { timeoutMs: 700 })))
    expect(error).toMatchObject({ code: 'NO_REPLY', retryable: true })
    expect(error.message).toMatch(
      /a request to "questions" is stored \(message \w{32}, queue \d of broker "broker-a"\), but no reply came within 700 ms: see that/,
    )
    expect(asker.openRequests).toBe(0)
  })

  it('that is answered too late drops the reply and counts it; the one who replied is not bothered', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    const late: ReceivedReply[] = []
    asker.on('lateReply', (reply) => late.push(reply))
    await cluster.answerer(2_000)
    const error = await cluster.run(failure(asker.request(question('who?'), { timeoutMs: 1_000 })))
    expect(error.code).toBe('NO_REPLY')
    await cluster.world.clock.advance(30_000)
    expect(asker.lateReplies).toBe(1)
    expect(late.map(({ body }) => body.toString())).toEqual(['re: who?'])
    expect(cluster.lost).toEqual([])
  })

  it('whose client has left makes the reply fail with the reason', async () => {
    const cluster = await Cluster.open(['broker-a', 'broker-b'])
    const asker = await cluster.asker()
    await cluster.answerer(2_000)
    await cluster.run(failure(asker.request(question('who?'), { timeoutMs: 1_000 })))
    await cluster.run(asker.close())
    await cluster.world.clock.advance(30_000)
    expect(cluster.lost).toMatchObject([{ code: 'BROKER_REFUSED', responseCode: 1 }])
    const [error] = cluster.lost
    expect(String(error)).toContain(`did not reach its client "${asker.clientId}"`)
  })

  it('that is given up rejects with the reason of the signal', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    await cluster.run(asker.send(question('hello')))
    const giveUp = new AbortController()
    const asked = asker.request(question('who?'), { timeoutMs: 60_000, signal: giveUp.signal })
    const outcome = asked.catch((error: unknown) => error)
    await cluster.world.clock.advance(500)
    giveUp.abort('enough')
    expect(await cluster.run(outcome)).toBe('enough')
    expect(asker.openRequests).toBe(0)
  })

  it('beyond maxOpenRequests fails at once', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker({ maxOpenRequests: 2 })
    const first = [1, 2].map((n) => failure(asker.request(question(`${n}`), { timeoutMs: 500 })))
    const error = await cluster.run(failure(asker.request(question('3'))))
    expect(error.code).toBe('TOO_MANY_IN_FLIGHT')
    expect(error.message).toContain('2 requests wait for their replies')
    expect((await cluster.run(Promise.all(first))).map(({ code }) => code)).toEqual([
      'NO_REPLY',
      'NO_REPLY',
    ])
  })

  it('that cannot be stored fails as a send does', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    expect((await failure(asker.request(question('')))).code).toBe('BAD_MESSAGE')
    const nowhere = asker.request({ topic: 'SCHEDULE_TOPIC_XXXX', body: 'x' })
    expect((await cluster.run(failure(nowhere))).code).toBe('BAD_MESSAGE')
    expect(asker.openRequests).toBe(0)
  })

  it('is waited for by close', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    await cluster.run(asker.send(question('hello')))
    await cluster.answerer(500)
    const asked = asker.request(question('who?'), { timeoutMs: 5_000 })
    await cluster.world.clock.advance(50)
    const closed = asker.close()
    expect((await cluster.run(asked)).body.toString()).toBe('re: who?')
    await cluster.run(closed)
    expect((await cluster.run(failure(asker.request(question('again'))))).code).toBe('CLOSED')
  })

  it('gets its reply from any broker of the cluster, also when its own is gone', async () => {
    const cluster = await Cluster.open(['broker-a', 'broker-b'])
    const asker = await cluster.asker()
    await cluster.run(asker.send(question('hello')))
    await cluster.answerer(1_000)
    const asked = asker.request(question('who?'), { timeoutMs: 60_000 })
    await cluster.world.clock.run(() => cluster.askedBy !== '')
    cluster.world.host(cluster.askedBy).crash()
    const reply = await cluster.run(asked)
    expect(reply.body.toString()).toBe('re: who?')
  })
})

describe('a reply', () => {
  it('may come from a producer, by itself, and from a loop over messages', async () => {
    const cluster = await Cluster.open()
    const asker = await cluster.asker()
    await cluster.run(asker.send(question('hello')))
    const host = cluster.doors('looper')
    const { namesrvAddr } = cluster
    const consumer = new PushConsumer({ group: 'loopers', namesrvAddr, host })
    const producer = new DefaultProducer({ group: 'repliers', namesrvAddr, host })
    const stream = consumer.messages(TOPIC)
    await cluster.run(Promise.all([consumer.start(), producer.start()]))
    const loop = (async () => {
      for await (const message of stream) {
        if (message.body.toString() === 'hello') continue
        const who = message.body.toString() === '1' ? consumer : producer
        await who.reply(message, `re: ${message.body}`)
      }
    })()
    const asked = ['1', '2'].map((n) => asker.request(question(n), { timeoutMs: 30_000 }))
    const replies = await cluster.run(Promise.all(asked))
    expect(replies.map(({ body }) => body.toString())).toEqual(['re: 1', 're: 2'])
    await cluster.run(Promise.all([consumer.close(), producer.close()]))
    await cluster.run(loop)
  })
})
