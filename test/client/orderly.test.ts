/** An orderly consumer handles the messages of a queue one after the other, whoever has the queue. */
import type { ConsumeContext, ReceivedMessage } from '@rockhopper/client'
import { retryTopicOf } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const RETRY_TOPIC = retryTopicOf(GROUP)

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

async function sceneWith(count: number, queues = 1): Promise<Scene> {
  const scene = await Scene.open({ queues })
  for (let i = 0; i < count; i++) scene.broker().put(TOPIC, i % queues, `${i}`)
  return scene
}

const offset = (scene: Scene, queueId = 0): number | undefined =>
  scene.broker().offsets.get(`${GROUP} ${TOPIC} ${queueId}`)

describe('a handler that fails', () => {
  test('gets the same message again after a pause, before any other of its queue', async () => {
    const scene = await sceneWith(4)
    const tries: string[] = []
    const atMs: number[] = []
    const counts: number[] = []
    const after: string[] = []
    const consumer = scene
      .consumer({ orderly: true })
      .subscribe(TOPIC, '*', ({ body, reconsumeTimes }) => {
        tries.push(body.toString())
        if (body.toString() !== '1') return
        counts.push(reconsumeTimes)
        atMs.push(scene.world.clock.monotonicMs())
        if (counts.length < 3) throw new Error('not yet')
      })
      .on('failed', (failure) => after.push(failure.after))
    await scene.run(consumer.start())
    await scene.until(() => tries.length === 6)
    expect(tries).toEqual(['0', '1', '1', '1', '2', '3'])
    expect(counts).toEqual([0, 1, 2])
    expect(after).toEqual(['suspended', 'suspended'])
    expect((atMs[1] ?? 0) - (atMs[0] ?? 0)).toBeCloseTo(1000, -1)
    expect(scene.broker().sentBack).toEqual([])
  })

  test('holds back its own queue only, and as long as it says', async () => {
    const scene = await sceneWith(6, 2)
    const got: string[] = []
    let failures = 0
    const consumer = scene
      .consumer({ orderly: true, suspendCurrentQueueTimeMs: 30_000 })
      .subscribe(TOPIC, '*', ({ body }, context) => {
        if (body.toString() === '0' && failures++ === 0) {
          context.suspendMs = 200
          throw new Error('once')
        }
        got.push(body.toString())
      })
    await scene.run(consumer.start())
    await scene.world.clock.advance(150)
    expect(got).toEqual(['1', '3', '5'])
    await scene.world.clock.advance(150)
    expect(got).toEqual(['1', '3', '5', '0', '2', '4'])
  })

  test('is called for ever unless a limit is set: nothing is committed meanwhile', async () => {
    const scene = await sceneWith(2)
    let calls = 0
    const consumer = scene.consumer({ orderly: true }).subscribe(TOPIC, '*', () => {
      calls++
      throw new Error('always')
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(60_000)
    expect(calls).toBeGreaterThan(50)
    expect(offset(scene) ?? 0).toBe(0)
    expect(scene.broker().stored.some(({ topic }) => topic === RETRY_TOPIC)).toBe(false)
  })

  test('has its message laid aside after the limit, with what Apache brokers need for that', async () => {
    const scene = await sceneWith(0)
    scene.routes.set(RETRY_TOPIC, scene.routeOf(1))
    const properties = { UNIQ_KEY: 'id-0', own: 'kept', TRAN_MSG: 'true' }
    scene.broker().put(TOPIC, 0, 'bad', properties)
    scene.broker().put(TOPIC, 0, 'good')
    const got: string[] = []
    const after: string[] = []
    const headers: {
      reconsumeTimes?: number | undefined
      maxReconsumeTimes?: number | undefined
    }[] = []
    scene.broker().script.onSend = (header) => {
      headers.push(header)
      return { header: { msgId: 'x', queueId: 0, queueOffset: 0 } }
    }
    const consumer = scene
      .consumer({ orderly: true, maxReconsumeTimes: 2, suspendCurrentQueueTimeMs: 10 })
      .subscribe(TOPIC, '*', ({ body }) => {
        got.push(body.toString())
        if (body.toString() === 'bad') throw new TypeError('no such thing')
      })
      .on('failed', (failure) => after.push(failure.after))
    await scene.run(consumer.start())
    await scene.until(() => got.length === 4)
    expect(got).toEqual(['bad', 'bad', 'bad', 'good'])
    expect(after).toEqual(['suspended', 'suspended', 'laid aside'])
    expect(headers).toHaveLength(1)
    expect(headers[0]).toMatchObject({
      topic: RETRY_TOPIC,
      reconsumeTimes: 3,
      maxReconsumeTimes: 2,
    })
    const sent = String((headers[0] as { properties?: Buffer }).properties)
    const pairs = new Map(sent.split('\x02').map((pair) => pair.split('\x01') as [string, string]))
    expect(Object.fromEntries(pairs)).toMatchObject({
      own: 'kept',
      UNIQ_KEY: 'id-0',
      ORIGIN_MESSAGE_ID: 'id-0',
      RETRY_TOPIC: TOPIC,
      RECONSUME_TIME: '3',
      MAX_RECONSUME_TIMES: '2',
      DELAY: '5',
      CONSUME_ERROR: 'TypeError: no such thing',
    })
    expect(pairs.has('TRAN_MSG')).toBe(false)
    await scene.run(consumer.close())
    expect(offset(scene)).toBe(2)
  })

  test('keeps its message when nobody takes what is laid aside', async () => {
    const scene = await sceneWith(1)
    scene.broker().script.onSend = () => ({ code: 14, remark: 'full' })
    const after: string[] = []
    const consumer = scene
      .consumer({ orderly: true, maxReconsumeTimes: 0, suspendCurrentQueueTimeMs: 10 })
      .subscribe(TOPIC, '*', () => {
        throw new Error('no')
      })
      .on('failed', (failure) => after.push(failure.after))
    await scene.run(consumer.start())
    await scene.until(() => after.length === 3)
    await scene.run(consumer.close())
    expect(after.slice(0, 3)).toEqual(['suspended', 'suspended', 'suspended'])
    expect(offset(scene) ?? 0).toBe(0)
  })
})

describe('messages', () => {
  test('of one queue are handled one at a time, those of several at the same time', async () => {
    const scene = await sceneWith(40, 4)
    const running = new Map<number, number>()
    const got = new Map<number, string[]>()
    let most = 0
    let mostOfOne = 0
    const consumer = scene
      .consumer({ orderly: true })
      .subscribe(TOPIC, '*', async ({ body, queue: { queueId } }) => {
        running.set(queueId, (running.get(queueId) ?? 0) + 1)
        mostOfOne = Math.max(mostOfOne, running.get(queueId) ?? 0)
        most = Math.max(
          most,
          [...running.values()].reduce((sum, count) => sum + count, 0),
        )
        await scene.pause('consumer', 5)
        running.set(queueId, (running.get(queueId) ?? 0) - 1)
        got.set(queueId, [...(got.get(queueId) ?? []), body.toString()])
      })
    await scene.run(consumer.start())
    await scene.until(() => [...got.values()].flat().length === 40)
    expect([mostOfOne, most]).toEqual([1, 4])
    for (const [queueId, bodies] of got) {
      expect(bodies).toEqual(numbers(40).filter((number) => Number(number) % 4 === queueId))
    }
  })

  test('are handled by no more handlers than the options allow', async () => {
    const scene = await sceneWith(40, 4)
    let running = 0
    let most = 0
    let done = 0
    const consumer = scene
      .consumer({ orderly: true, concurrency: 2 })
      .subscribe(TOPIC, '*', async () => {
        most = Math.max(most, ++running)
        await scene.pause('consumer', 5)
        running--
        done++
      })
    await scene.run(consumer.start())
    await scene.until(() => done === 40)
    expect(most).toBe(2)
  })

  test('that are held back are committed with the call that says so', async () => {
    const scene = await sceneWith(6)
    const consumer = scene
      .consumer({ orderly: true })
      .subscribe(TOPIC, '*', ({ body }, context) => {
        context.autoCommit = false
        if (body.toString() === '3') context.commit()
      })
    await scene.run(consumer.start())
    await scene.world.clock.advance(6000)
    expect(offset(scene)).toBe(4)
  })

  test('that are rolled back come again in their order, and have not failed', async () => {
    const scene = await sceneWith(4)
    const got: string[] = []
    let rolledBack = false
    const consumer = scene
      .consumer({ orderly: true, suspendCurrentQueueTimeMs: 50 })
      .subscribe(TOPIC, '*', ({ body, reconsumeTimes }, context) => {
        got.push(`${body} ${reconsumeTimes}`)
        context.autoCommit = false
        if (body.toString() === '2' && !rolledBack) {
          rolledBack = true
          context.rollback()
        } else if (body.toString() === '3') context.commit()
      })
    await scene.run(consumer.start())
    await scene.until(() => got.length === 7)
    expect(got).toEqual(['0 0', '1 0', '2 0', '0 0', '1 0', '2 0', '3 0'])
    await scene.run(consumer.close())
    expect(offset(scene)).toBe(4)
  })

  test('come in batches to the handler for all topics, one batch at a time', async () => {
    const scene = await sceneWith(10)
    const batches: string[][] = []
    const consumer = scene
      .consumer({ orderly: true, consumeMessageBatchMaxSize: 4 })
      .subscribe(TOPIC)
      .onMessages(async (messages: readonly ReceivedMessage[], _context: ConsumeContext) => {
        await scene.pause('consumer', 5)
        batches.push(messages.map(({ body }) => body.toString()))
      })
    await scene.run(consumer.start())
    await scene.until(() => batches.flat().length === 10)
    expect(batches).toEqual([
      ['0', '1', '2', '3'],
      ['4', '5', '6', '7'],
      ['8', '9'],
    ])
  })
})

test('a member that dies keeps its queues from the others for less than half a minute', async () => {
  const scene = await Scene.open({ queues: 2 })
  const got: string[] = []
  for (const name of ['first', 'second']) {
    const member = scene
      .consumer({ orderly: true }, name)
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(member.start())
  }
  await scene.world.clock.advance(10_000)
  for (let i = 0; i < 2; i++) scene.broker().put(TOPIC, i, `${i}`)
  await scene.until(() => got.length === 2, 100)
  scene.world.host('second').kill()
  for (let i = 2; i < 4; i++) scene.broker().put(TOPIC, i % 2, `${i}`)
  await scene.until(() => got.includes('2') && got.includes('3'), 29_000)
})

describe('the lock of a queue', () => {
  test('comes before the first pull, and is renewed every 5 s', async () => {
    const scene = await sceneWith(1)
    let refused = true
    const asked: number[] = []
    scene.broker().script.onLock = () => {
      asked.push(scene.world.clock.monotonicMs())
      return !refused
    }
    const got: string[] = []
    const consumer = scene
      .consumer({ orderly: true })
      .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
    await scene.run(consumer.start())
    await scene.world.clock.advance(3000)
    expect([got, scene.broker().pulls]).toEqual([[], []])
    refused = false
    await scene.until(() => got.length === 1, 500)
    const before = asked.length
    await scene.world.clock.advance(60_000)
    expect(asked.length - before).toBe(12)
  })

  test('that is lost stops the handlers before the next message', async () => {
    const scene = await sceneWith(20)
    const got: string[] = []
    const consumer = scene.consumer({ orderly: true }).subscribe(TOPIC, '*', async ({ body }) => {
      await scene.pause('consumer', 3000)
      got.push(body.toString())
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(15_000)
    scene.broker().script.onLock = () => false
    await scene.world.clock.advance(8000)
    const count = got.length
    await scene.world.clock.advance(30_000)
    expect(got).toHaveLength(count)
    scene.broker().script.onLock = () => true
    await scene.until(() => got.at(-1) === '19', 120_000)
  })

  test('is not relied on when the broker has not answered for long', async () => {
    const scene = await sceneWith(100)
    const got: string[] = []
    const consumer = scene.consumer({ orderly: true }).subscribe(TOPIC, '*', async ({ body }) => {
      await scene.pause('consumer', 1000)
      got.push(body.toString())
    })
    await scene.run(consumer.start())
    await scene.until(() => got.length === 5)
    scene.world.host('broker-a').kill()
    await scene.world.clock.advance(40_000)
    // What ran when the connection broke was finished; nothing new was begun.
    expect(got.length).toBeLessThan(8)
  })

  test('is given back when the queue was drained and its offset is known, not before', async () => {
    const scene = await sceneWith(2)
    const consumer = scene.consumer({ orderly: true }).subscribe(TOPIC, '*', async () => {
      await scene.pause('consumer', 4000)
    })
    await scene.run(consumer.start())
    await scene.world.clock.advance(1000)
    const closing = consumer.close()
    await scene.world.clock.advance(2000)
    expect(scene.broker().unlocked).toEqual([])
    await scene.run(closing)
    expect(scene.broker().unlocked).toEqual([`${consumer.clientId} ${TOPIC} 0`])
    expect(offset(scene)).toBe(1)
  })

  test('is kept through a handler that takes minutes, and what it did counts', async () => {
    const scene = await Scene.open({ queues: 2 })
    for (let i = 0; i < 2; i++) scene.broker().put(TOPIC, i, `${i}`)
    const got: string[] = []
    const slow = scene
      .consumer({ orderly: true, drainTimeoutMs: 1000 }, 'slow')
      .subscribe(TOPIC, '*', async ({ body }) => {
        await scene.pause('slow', 120_000)
        got.push(`slow ${body}`)
      })
    await scene.run(slow.start())
    await scene.world.clock.advance(1000)
    const fast = scene
      .consumer({ orderly: true }, 'fast')
      .subscribe(TOPIC, '*', ({ body }) => void got.push(`fast ${body}`))
    await scene.run(fast.start())
    await scene.until(() => slow.queues.length === 1, 1000)
    const [moved] = fast.queues
    scene.broker().put(TOPIC, moved?.queueId ?? 0, 'next')
    await scene.world.clock.advance(100_000)
    expect(got).toEqual([])
    await scene.until(() => got.length === 3, 60_000)
    expect(got.sort()).toEqual(['fast next', 'slow 0', 'slow 1'])
  })

  test('lets two members handle a queue one after the other, never both at a time', async () => {
    for (let seed = 1; seed <= 5; seed++) {
      const scene = await Scene.open({ queues: 4, seed })
      const sent = 400
      for (let i = 0; i < sent; i++) scene.broker().put(TOPIC, i % 4, `${i}`)
      const inside = new Map<number, number>()
      const got = new Map<number, number[]>()
      let clashes = 0
      const join = async (name: string) => {
        const member = scene
          .consumer({ orderly: true }, name)
          .subscribe(TOPIC, '*', async ({ body, queue: { queueId } }) => {
            inside.set(queueId, (inside.get(queueId) ?? 0) + 1)
            if (inside.get(queueId) !== 1) clashes++
            await scene.pause(name, 20 + (Number(body.toString()) % 7) * 30)
            inside.set(queueId, (inside.get(queueId) ?? 0) - 1)
            got.set(queueId, [...(got.get(queueId) ?? []), Number(body.toString())])
          })
        await scene.run(member.start())
        return member
      }
      const first = await join('first')
      await scene.world.clock.advance(1000)
      const second = await join('second')
      await scene.world.clock.advance(2000)
      const third = await join('third')
      await scene.world.clock.advance(1000)
      await scene.run(first.close())
      await scene.until(() => [...got.values()].flat().length >= sent, 60_000)
      expect(clashes).toBe(0)
      for (const numbersOfQueue of got.values()) {
        // In order, and none twice.
        expect(numbersOfQueue).toEqual([...new Set(numbersOfQueue)].sort((a, b) => a - b))
      }
      await scene.run(Promise.all([second.close(), third.close()]))
    }
  })
})
