/** Messages looked up at a broker: by a key, by their unique id, and by their offset id. */
import {
  decodeProperties,
  parseOffsetMessageId,
  QUERY_MESSAGE,
  responseCode,
  VIEW_MESSAGE_BY_ID,
} from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { BrokerScene, bodiesOf, recordsOf, timeoutMs } from './scene.ts'

const ALL_TIME = { beginTimestamp: 0, endTimestamp: Number.MAX_SAFE_INTEGER }

class LookupScene {
  readonly broker: BrokerScene
  readonly client: ReturnType<BrokerScene['client']>

  constructor(broker: BrokerScene) {
    this.broker = broker
    this.client = broker.client()
  }

  static async started(settings = ''): Promise<LookupScene> {
    return new LookupScene(await BrokerScene.started(settings))
  }

  send(body: string, properties: Readonly<Record<string, string>>) {
    const pairs = Object.entries(properties).map(([name, value]) => `${name}\x01${value}\x02`)
    return this.client.send('T', body, {}, pairs.join(''))
  }

  query(key: string, given: { maxNum?: number; uniqueKeyQuery?: boolean; topic?: string } = {}) {
    const header = { topic: 'T', key, maxNum: 32, ...ALL_TIME, ...given }
    return this.broker.settle(
      this.client.remoting.call(this.broker.address, QUERY_MESSAGE, header, { timeoutMs }),
    )
  }

  view(offset: number) {
    return this.broker.settle(
      this.client.remoting.call(
        this.broker.address,
        VIEW_MESSAGE_BY_ID,
        { offset, topic: 'T' },
        { timeoutMs },
      ),
    )
  }
}

describe('QUERY_MESSAGE', () => {
  test('answers with the records that have the key, and with how far the index is', async () => {
    const scene = await LookupScene.started()
    await scene.send('one', { UNIQ_KEY: 'id-1', KEYS: 'order-1 customer-7' })
    await scene.send('two', { UNIQ_KEY: 'id-2', KEYS: 'order-2 customer-7' })
    await scene.send('three', { UNIQ_KEY: 'id-3' })
    const answer = await scene.query('customer-7')
    expect(bodiesOf(answer)).toEqual(['one', 'two'])
    const [last] = recordsOf(await scene.query('id-3'))
    expect(answer.header()).toEqual({
      indexLastUpdateTimestamp: last?.storeTimestamp,
      indexLastUpdatePhyoffset: last?.logOffset,
    })
  })

  test('finds a message by the id that the broker gave it when its sender gave none', async () => {
    const scene = await LookupScene.started()
    await scene.send('one', {})
    const [record] = recordsOf(await scene.client.pull('T', 0))
    const id = decodeProperties(record?.properties ?? '').get('UNIQ_KEY') ?? ''
    expect(bodiesOf(await scene.query(id))).toEqual(['one'])
  })

  test('keeps to the number that the request says, and to its own', async () => {
    const scene = await LookupScene.started('maxMsgsNumBatch=5\ndefaultQueryMaxNum=4\n')
    for (let i = 0; i < 9; i++) await scene.send(`m${i}`, { KEYS: 'all' })
    expect(bodiesOf(await scene.query('all', { maxNum: 2 }))).toEqual(['m7', 'm8'])
    expect(bodiesOf(await scene.query('all', { maxNum: 100 }))).toHaveLength(5)
    const unique = await scene.query('all', { maxNum: 1, uniqueKeyQuery: true })
    expect(bodiesOf(unique)).toHaveLength(4)
  })

  test('says in a sentence that there is nothing', async () => {
    const scene = await LookupScene.started()
    await scene.send('one', { KEYS: 'k' })
    for (const [key, topic] of [
      ['other', 'T'],
      ['k', 'U'],
    ] as const) {
      const answer = await scene.query(key, { topic })
      expect(answer.code).toBe(responseCode.QUERY_NOT_FOUND)
      expect(answer.remark).toContain(
        `can not find message, maybe time range not correct: in topic "${topic}" nothing with ` +
          `the key "${key}"`,
      )
    }
  })

  test('finds what was sent before the broker was killed or stopped', async () => {
    const scene = await LookupScene.started()
    await scene.send('one', { UNIQ_KEY: 'id-1' })
    await scene.broker.killAndRestart()
    expect(bodiesOf(await scene.query('id-1'))).toEqual(['one'])
    await scene.send('two', { UNIQ_KEY: 'id-2' })
    await scene.broker.stop()
    await scene.broker.start()
    expect(bodiesOf(await scene.query('id-1'))).toEqual(['one'])
    expect(bodiesOf(await scene.query('id-2'))).toEqual(['two'])
  })

  test('finds nothing when messageIndexEnable is false', async () => {
    const scene = await LookupScene.started('messageIndexEnable=false\n')
    await scene.send('one', { UNIQ_KEY: 'id-1' })
    expect((await scene.query('id-1')).code).toBe(responseCode.QUERY_NOT_FOUND)
  })
})

describe('VIEW_MESSAGE_BY_ID', () => {
  test('answers with the one record at the place that the offset id names', async () => {
    const scene = await LookupScene.started()
    await scene.send('one', {})
    const sent = await scene.send('two', {})
    await scene.send('three', {})
    const offset = parseOffsetMessageId(sent.header().msgId)?.logOffset ?? -1
    expect(bodiesOf(await scene.view(offset))).toEqual(['two'])
  })

  test.each([1, -1, 1_000_000, Number.MAX_SAFE_INTEGER])(
    'says in a sentence that no message begins at %i',
    async (offset) => {
      const scene = await LookupScene.started()
      await scene.send('one', {})
      const answer = await scene.view(offset)
      expect(answer.code).toBe(responseCode.SYSTEM_ERROR)
      expect(answer.remark).toContain(`can not find message by the offset, ${offset}: no message`)
    },
  )
})
