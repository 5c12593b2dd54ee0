/** What consumers say of the messages they want, and what they get. */
import { completeBrokerConfig, readBrokerConfig, startBroker } from '@rockhopper/broker'
import {
  bySql,
  byTags,
  ClientError,
  DefaultProducer,
  type Message,
  type MessageFilter,
  PushConsumer,
  type SqlValue,
} from '@rockhopper/client'
import { readNamesrvConfig, startNamesrv } from '@rockhopper/namesrv'
import { encodeProperties } from '@rockhopper/protocol'
import { createWorld, type SimWorld } from '@rockhopper/sim'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileSql } from '../../packages/broker/src/rules/sql/sql-filter.ts'

const TOPIC = 'orders'

/** A name server, a broker and a topic with the given messages. */
class Shop {
  readonly world: SimWorld = createWorld(5)
  readonly got: string[] = []
  readonly namesrvAddr = `${this.world.host('namesrv').ip}:9876`

  static async open(settings = '', messages: readonly Partial<Message>[] = []): Promise<Shop> {
    const shop = new Shop()
    const { doors } = shop.world.host('namesrv')
    const listen = 'bindAddress=0.0.0.0\nlistenPort=9876'
    await shop.run(startNamesrv(doors, readNamesrvConfig(listen, 'the test').values))
    await shop.openBroker(settings)
    const host = shop.world.host('producer').doors
    const producer = new DefaultProducer({ group: 'p', namesrvAddr: shop.namesrvAddr, host })
    await shop.run(producer.start())
    // The first send creates the topic.
    for (const message of [{ body: 'none' }, ...messages]) {
      await shop.run(producer.send({ topic: TOPIC, body: '', ...message }))
    }
    return shop
  }

  async openBroker(settings: string): Promise<void> {
    const { doors, ip } = this.world.host('broker')
    const text =
      `brokerName=broker-a\nbrokerIP1=${ip}\nnamesrvAddr=${this.namesrvAddr}\n` +
      `storePathRootDir=/store\nmappedFileSizeCommitLog=4194304\n${settings}`
    const config = completeBrokerConfig(readBrokerConfig(text, 'the test').values, doors)
    await this.run(startBroker(doors, config))
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.clock.settle(promise)
  }

  consumer(filter: string | MessageFilter): PushConsumer {
    const { namesrvAddr } = this
    const host = this.world.host('consumer').doors
    const options = { group: 'g', namesrvAddr, host, consumeFromWhere: 'first' } as const
    return new PushConsumer(options).subscribe(TOPIC, filter, ({ body }) => {
      this.got.push(body.toString())
    })
  }

  /** All that comes within two seconds. */
  async consumed(consumer: PushConsumer): Promise<string[]> {
    await this.run(consumer.start())
    await this.world.clock.advance(2_000)
    await this.run(consumer.close())
    return this.got.sort()
  }

  async failureOf(promise: Promise<unknown>): Promise<ClientError> {
    const error = await this.run(
      promise.then(
        () => undefined,
        (reason: unknown) => reason,
      ),
    )
    if (error instanceof ClientError) return error
    throw new Error(`there is no ClientError but ${String(error)}`)
  }
}

const orders = [
  { body: 'eu 5', properties: { region: 'eu', amount: '5' } },
  { body: 'eu 50', properties: { region: 'eu', amount: '50' } },
  { body: 'us 50', properties: { region: 'us', amount: '50' } },
  { body: "it's", properties: { region: "it's", amount: '50' } },
]

describe('a consumer that filters by SQL92', () => {
  test('gets what its expression wants', async () => {
    const shop = await Shop.open('', orders)
    const consumer = shop.consumer(bySql("region IN ('eu', 'it''s') AND amount > 10"))
    expect(await shop.consumed(consumer)).toEqual(['eu 50', "it's"])
  })

  test('gets what its expression wants when it changes its mind while it runs', async () => {
    const shop = await Shop.open('', orders)
    const consumer = shop.consumer(bySql('amount > 1000'))
    await shop.run(consumer.start())
    await shop.world.clock.advance(2_000)
    expect(shop.got).toEqual([])
    consumer.subscribe(TOPIC, bySql`region = ${'us'}`, ({ body }) => {
      shop.got.push(body.toString())
    })
    const host = shop.world.host('producer').doors
    const { namesrvAddr } = shop
    const producer = new DefaultProducer({ group: 'p', namesrvAddr, host })
    await shop.run(producer.start())
    await shop.world.clock.advance(20_000)
    for (const order of orders) await shop.run(producer.send({ topic: TOPIC, ...order }))
    await shop.world.clock.advance(2_000)
    expect(shop.got).toEqual(['us 50'])
    await shop.run(consumer.close())
  })

  test('does not start with a wrong one, hears where it is wrong, and starts with a right one', async () => {
    const shop = await Shop.open('', orders)
    const consumer = shop.consumer(bySql("region = 'eu' AND amount LIKE '5%'"))
    const error = await shop.failureOf(consumer.start())
    expect(error).toMatchObject({ code: 'BAD_OPTION', responseCode: 23, retryable: false })
    expect(error.message).toBe(
      'the filter of the topic "orders" was refused: the SQL92 expression is wrong at line 1, ' +
        'column 26: a comparison, AND, OR or the end is expected, not LIKE: correct the expression',
    )
    consumer.subscribe(TOPIC, bySql("region = 'us'"), ({ body }) => {
      shop.got.push(body.toString())
    })
    expect(await shop.consumed(consumer)).toEqual(['us 50'])
  })

  test('is told of a wrong one that it gives later', async () => {
    const shop = await Shop.open('', orders)
    const consumer = shop.consumer(bySql('amount > 1000'))
    const problems: string[] = []
    consumer.on('problem', ({ error }) => problems.push(error.message))
    await shop.run(consumer.start())
    consumer.subscribe(TOPIC, bySql('amount >'), () => undefined)
    await shop.world.clock.advance(40_000)
    expect(problems.join()).toMatch(/wrong at line 1, column 9/)
    await shop.run(consumer.close())
  })

  test('does not start where the broker filters by tags only', async () => {
    const shop = await Shop.open('enablePropertyFilter=false', orders)
    const error = await shop.failureOf(shop.consumer(bySql('amount > 10')).start())
    expect(error).toMatchObject({ code: 'BROKER_REFUSED', responseCode: 1 })
    expect(error.message).toMatch(/message by SQL92: set enablePropertyFilter=true/)
  })

  test('starts while the topic does not exist yet', async () => {
    const shop = await Shop.open()
    const consumer = shop.consumer('*').subscribe('none', bySql('a >'), () => undefined)
    await shop.run(consumer.start())
    await shop.run(consumer.close())
  })
})

test('a consumer gets messages of its tags, and none of a tag with the same hash', async () => {
  const messages = ['Aa', 'BB', 'C', 'D'].map((tag) => ({ body: tag, tag }))
  const shop = await Shop.open('', messages)
  expect(await shop.consumed(shop.consumer(byTags('Aa', 'D')))).toEqual(['Aa', 'D'])
})

describe('bySql', () => {
  test('takes an expression as it is', () => {
    expect(bySql("a = 'x'")).toEqual({ type: 'SQL92', expression: "a = 'x'" })
  })

  test.each<[string, SqlValue]>([
    ["'eu'", 'eu'],
    ["'it''s'", "it's"],
    ['5', 5],
    ['0', -0],
    ['-5.5', -5.5],
    ['1e+21', 1e21],
    ['9.223372036854776e+18', 2 ** 63],
    ['9223372036854775807', 2n ** 63n - 1n],
    ['TRUE', true],
    ["('a', 'b''')", ['a', "b'"]],
  ])('writes a value as the literal %s', (literal, value) => {
    expect(bySql`a = ${value}`.expression).toBe(`a = ${literal}`)
  })

  test.each<[string, () => MessageFilter, RegExp]>([
    ['nothing', () => bySql('  '), /is empty: subscribe to "\*"/],
    ['a number that is none', () => bySql`a = ${Number.NaN}`, /NaN is no number in SQL92/],
    ['too large a number', () => bySql`a = ${2n ** 63n}`, /more than 64 bits/],
    ['an empty list', () => bySql`a IN ${[]}`, /name at least one text/],
    ['no tag', () => byTags(), /names none/],
    ['a tag that is two', () => byTags('a || b'), /"a \|\| b" is no tag/],
  ])('and byTags refuse %s', (_name, make, why) => {
    expect(make).toThrow(why)
  })

  test('writes values so that brokers read them as they are', () => {
    const matches = ({ expression }: MessageFilter, properties: Record<string, string>) => {
      const compiled = compileSql(expression)
      if (compiled.kind === 'wrong') throw new Error(compiled.problem)
      const bytes = Buffer.from(encodeProperties(properties))
      return compiled.filter.matches(bytes, 0, bytes.length)
    }
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((each) => !each.includes('\x01') && !each.includes('\x02'))
    const number = fc.double({ noNaN: true, noDefaultInfinity: true })
    fc.assert(
      fc.property(text, number, fc.bigInt(-(2n ** 63n) + 1n, 2n ** 63n - 1n), (a, b, c) => {
        expect(matches(bySql`a = ${a} AND a IN ${['x', a]}`, { a })).toBe(true)
        const properties = { b: String(b), c: String(c) }
        expect(matches(bySql`${b} = ${b} AND c = ${c}`, properties)).toBe(true)
        if (b !== Math.trunc(b)) expect(matches(bySql`b = ${b}`, properties)).toBe(true)
      }),
      { seed: 1 },
    )
  })
})
