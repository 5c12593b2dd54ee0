/** A consumer that fetches messages gets each of them, and commits what it has consumed. */
import type { LitePullConsumer } from '@rockhopper/client'
import { responseCode } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { committed, numbers, poll, QUEUE, sceneWith, started, textsOf } from './fetching-scene.ts'
import { failure, GROUP, Scene, TOPIC } from './scene.ts'
import { silence } from './scripted-broker.ts'

describe('when something is in the way', () => {
  test('a poll while the broker is gone gives nothing in time, and the rest when it is back', async () => {
    const scene = await sceneWith(0)
    const consumer = await started(scene)
    const problems: string[] = []
    consumer.on('problem', ({ error }) => problems.push(error.message))
    await scene.world.clock.advance(1000)
    scene.world.host('broker-a').kill()
    const startMs = scene.world.clock.monotonicMs()
    expect(await scene.run(consumer.poll(3000))).toEqual([])
    expect(scene.world.clock.monotonicMs() - startMs).toBeCloseTo(3000, -1)
    expect(problems).toHaveLength(1)
    scene.world.host('broker-a').restart()
    await scene.reopenBroker('broker-a')
    scene.broker().put(TOPIC, 0, 'after')
    expect(textsOf(await scene.run(consumer.poll(5000)))).toEqual(['after'])
  })

  test('offsets that the queue does not have any more move to those that it has', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().beginAt(TOPIC, 0, 50)
    for (const text of numbers(5, 50)) scene.broker().put(TOPIC, 0, text)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 7)
    const consumer = scene.litePuller().subscribe(TOPIC)
    const moves: object[] = []
    consumer.on('offsetMoved', (move) => moves.push(move))
    await scene.run(consumer.start())
    expect(await poll(scene, consumer, 5)).toEqual(numbers(5, 50))
    expect(moves).toEqual([{ queue: QUEUE, from: 7, to: 50 }])
    await scene.run(consumer.poll(10))
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(55)
  })

  test('an offset beyond the end, as after a loss, moves back to the end', async () => {
    const scene = await sceneWith(3)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 0`, 900)
    const consumer = await started(scene)
    await scene.world.clock.advance(100)
    scene.broker().put(TOPIC, 0, 'next')
    expect(await poll(scene, consumer, 1)).toEqual(['next'])
  })

  test('a queue that is not assigned can neither be sought, paused nor committed', async () => {
    const scene = await sceneWith(1)
    const consumer = await started(scene)
    const other = { ...QUEUE, queueId: 9 }
    const tries = [
      consumer.seek(other, 0),
      consumer.seekToBegin(other),
      consumer.seekToEnd(other),
      consumer.seekToTime(other, 1),
      consumer.commitSync([{ queue: other, offset: 1 }]),
    ]
    for (const tried of await Promise.all(tries.map(failure))) {
      expect(tried).toMatchObject({ code: 'NOT_ASSIGNED', retryable: true })
      expect(tried.message).toBe(
        'the queue orders@broker-a@9 is not assigned to this consumer: ' +
          'the group may be sharing anew: look at `queues`',
      )
    }
    expect(() => consumer.pause([other])).toThrow('is not assigned')
    expect(() => consumer.commitAsync([{ queue: other, offset: 1 }])).toThrow('is not assigned')
  })

  test('an offset where the queue does not reach cannot be sought', async () => {
    const scene = await sceneWith(5)
    scene.broker().beginAt(TOPIC, 0, 10)
    const consumer = await started(scene)
    for (const offset of [9, 16, 12.5, Number.NaN]) {
      const error = await scene.run(failure(consumer.seek(QUEUE, offset)))
      expect(error).toMatchObject({ code: 'BAD_OPTION' })
      expect(error.message).toContain(`has the offsets 10 to 15, and ${offset} is none`)
    }
    await scene.run(consumer.seek(QUEUE, 15))
  })

  test('what was read of a queue that goes to another member is given to that member only', async () => {
    const scene = await sceneWith(40, 4)
    const first = await started(scene, { pullBatchSize: 1 }, 'first')
    const got = await poll(scene, first, 2)
    const second = await started(scene, {}, 'second')
    let isOver = false
    const rest: string[] = []
    const take = async (consumer: LitePullConsumer): Promise<void> => {
      while (!isOver) rest.push(...textsOf(await consumer.poll(1000)))
    }
    const loops = [take(first), take(second)]
    await scene.until(() => rest.length === 38, 60_000)
    await scene.world.clock.advance(10_000)
    isOver = true
    await scene.run(Promise.all(loops))
    expect([...got, ...rest].sort()).toEqual(numbers(40).sort())
    expect(first.queues).toHaveLength(2)
    expect(second.queues).toHaveLength(2)
    await scene.run(Promise.all([first.close(), second.close()]))
    for (const queueId of [0, 1, 2, 3]) expect(committed(scene, queueId)).toBe(10)
  })

  test('a message in the hands of a loop is done before another member reads on', async () => {
    const scene = await sceneWith(40, 2)
    const got: string[] = []
    const work = async (consumer: LitePullConsumer, name: string): Promise<void> => {
      for await (const { body } of consumer) {
        await scene.pause(name, 300)
        got.push(body.toString())
      }
    }
    const first = await started(scene, {}, 'first')
    const loops = [work(first, 'first')]
    await scene.world.clock.advance(1000)
    const second = await started(scene, {}, 'second')
    loops.push(work(second, 'second'))
    await scene.until(() => new Set(got).size === 40, 60_000)
    expect(got).toHaveLength(40)
    expect(second.queues).toHaveLength(1)
    const [lost = QUEUE] = second.queues
    await scene.world.clock.advance(10_000)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} ${lost.queueId}`, 17)
    expect(await scene.run(first.committed(lost))).toBe(17)
    await scene.run(Promise.all([first.close(), second.close()]))
    await scene.run(Promise.all(loops))
  })

  test('a poll under way ends when the consumer is closed, and further ones are refused', async () => {
    const scene = await sceneWith(0)
    const consumer = await started(scene)
    const polling = consumer.poll(60_000)
    await scene.world.clock.advance(100)
    const startMs = scene.world.clock.monotonicMs()
    await scene.run(consumer.close())
    expect(await scene.run(polling)).toEqual([])
    expect(scene.world.clock.monotonicMs() - startMs).toBeLessThan(100)
    expect(await failure(consumer.poll())).toMatchObject({ code: 'CLOSED' })
    expect(() => consumer[Symbol.asyncIterator]()).toThrow('was closed')
    expect(scene.broker().left).toEqual([consumer.clientId])
  })

  test('a queue that nobody fetches from is told of, but not one that is paused', async () => {
    const scene = await sceneWith(20, 2)
    const consumer = await started(scene, { stalledAfterMs: 30_000 })
    const stalls: string[] = []
    consumer.on('queueStalled', ({ queue, reason }) => stalls.push(`${queue.queueId} ${reason}`))
    consumer.pause([QUEUE])
    await scene.world.clock.advance(100_000)
    expect(stalls).toEqual(['1 handling'])
    await poll(scene, consumer, 10)
    await scene.run(consumer.poll(10))
    await scene.world.clock.advance(100_000)
    expect(stalls).toHaveLength(1)
  })

  test('a queue whose broker is silent is told of, and asked anew', async () => {
    const scene = await sceneWith(1)
    scene.broker().script.onPull = () => silence()
    const consumer = await started(scene, { stalledAfterMs: 30_000 })
    const stalls: string[] = []
    consumer.on('queueStalled', ({ reason }) => stalls.push(reason))
    await scene.until(() => stalls.length > 0, 60_000)
    expect(stalls).toEqual(['pull'])
    scene.broker().script.onPull = () => undefined
    expect(await poll(scene, consumer, 1)).toEqual(['0'])
  })

  test('a commit that a broker refuses is told', async () => {
    const scene = await sceneWith(1)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 1)
    scene.world.host('broker-a').kill()
    expect(await scene.run(failure(consumer.commitSync()))).toMatchObject({ retryable: true })
  })

  test('nothing works before the start, and a start without a name server may be tried again', async () => {
    const scene = await sceneWith(1)
    const consumer = scene.litePuller().subscribe(TOPIC)
    expect(await failure(consumer.poll())).toMatchObject({ code: 'NOT_STARTED' })
    expect(() => consumer.commitAsync()).toThrow('await start() first')
    scene.world.host('namesrv').kill()
    const error = await scene.run(failure(consumer.start()))
    expect(error).toMatchObject({ code: 'NAME_SERVER_UNREACHABLE' })
    scene.world.host('namesrv').restart()
    await scene.openNamesrv()
    await scene.run(consumer.start())
    expect(await poll(scene, consumer, 1)).toEqual(['0'])
    expect(await failure(consumer.start())).toMatchObject({ code: 'BAD_OPTION' })
  })

  test('a broker that asks for patience is asked again after 20 ms', async () => {
    const scene = await sceneWith(1)
    const asked: number[] = []
    scene.broker().script.onPull = () => {
      asked.push(scene.world.clock.monotonicMs())
      return asked.length < 4 ? { code: responseCode.FLOW_CONTROL, remark: 'no' } : undefined
    }
    const consumer = await started(scene)
    expect(await poll(scene, consumer, 1)).toEqual(['0'])
    const gaps = asked.slice(1, 4).map((atMs, i) => Math.round(atMs - (asked[i] ?? 0)))
    for (const gap of gaps) expect(Math.abs(gap - 20)).toBeLessThan(10)
  })
})

describe('polls', () => {
  test('give messages in the order of their queue, at most a batch at a time', async () => {
    const scene = await sceneWith(25)
    const consumer = await started(scene)
    const sizes: number[] = []
    const got: string[] = []
    while (got.length < 25) {
      const messages = await scene.run(consumer.poll())
      sizes.push(messages.length)
      got.push(...textsOf(messages))
    }
    expect(got).toEqual(numbers(25))
    expect(Math.max(...sizes)).toBe(10)
  })

  test('give messages of queues in turn', async () => {
    const scene = await sceneWith(40, 2)
    const consumer = await started(scene, { pullBatchSize: 8 })
    await scene.world.clock.advance(1000)
    const queues: number[] = []
    for (let i = 0; i < 4; i++) {
      const [message] = await scene.run(consumer.poll())
      queues.push(message?.queue.queueId ?? -1)
    }
    expect(queues.slice(0, 2).sort()).toEqual([0, 1])
    expect(queues.slice(2, 4)).toEqual(queues.slice(0, 2))
  })

  test('declare consumed what the polls before gave, and it is committed every 5 s', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene)
    await scene.run(consumer.poll())
    await scene.world.clock.advance(6000)
    expect(committed(scene) ?? 0).toBe(0)
    await scene.run(consumer.poll())
    await scene.world.clock.advance(5000)
    expect(committed(scene)).toBe(10)
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(10)
  })

  test('commit nothing by themselves without autoCommit', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 20)
    await scene.run(consumer.poll(10))
    await scene.world.clock.advance(20_000)
    expect(committed(scene)).toBeUndefined()
    await scene.run(consumer.close())
    expect(committed(scene)).toBeUndefined()
  })

  test.each([
    ['of one queue', { maxCachedMessages: 30 }, 120],
    ['over all queues', { maxCachedMessagesInAll: 50 }, 80],
    ['in bytes', { maxCachedBytesInAll: 100 }, 80],
  ])('hold no more messages than they may %s', async (_what, options, most) => {
    const scene = await sceneWith(400, 4)
    const consumer = await started(scene, options)
    await scene.world.clock.advance(5000)
    const read = [0, 1, 2, 3].map((queueId) => {
      const pulls = scene.broker().litePulls.filter((pull) => pull.queueId === queueId)
      return Math.max(0, ...pulls.map(({ queueOffset }) => queueOffset))
    })
    expect(read.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(most)
    expect((await poll(scene, consumer, 400)).sort()).toEqual(numbers(400).sort())
  })

  test('that are not followed by another do not keep close waiting', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene)
    await poll(scene, consumer, 10)
    const startMs = scene.world.clock.monotonicMs()
    await scene.run(consumer.close())
    expect(scene.world.clock.monotonicMs() - startMs).toBeLessThan(1000)
    expect(committed(scene) ?? 0).toBe(0)
  })
})

describe('a commit', () => {
  test('without offsets is of all that was given, and is known when it resolves', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 10)
    await scene.run(consumer.commitSync())
    expect(committed(scene)).toBe(10)
    expect(await scene.run(consumer.committed(QUEUE))).toBe(10)
    await poll(scene, consumer, 10)
    consumer.commitAsync()
    await scene.world.clock.advance(100)
    expect(committed(scene)).toBe(20)
  })

  test('of given offsets is of those, up or down', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 20)
    for (const offset of [15, 3]) {
      await scene.run(consumer.commitSync([{ queue: QUEUE, offset }]))
      expect(committed(scene)).toBe(offset)
    }
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(3)
  })

  test('by hand is not lost when its queue is given up right afterwards', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene, { autoCommit: false })
    await poll(scene, consumer, 10)
    consumer.commitAsync()
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(10)
  })

  test('is asked for at the broker where none was made here', async () => {
    const scene = await sceneWith(3, 2)
    scene.broker().offsets.set(`${GROUP} ${TOPIC} 1`, 1)
    const consumer = await started(scene)
    expect(await scene.run(consumer.committed({ ...QUEUE, queueId: 1 }))).toBe(1)
    expect(await scene.run(consumer.committed({ ...QUEUE, queueId: 0 }))).toBeUndefined()
  })
})

describe('a loop', () => {
  test('gets every message, and one counts as consumed when the next is asked for', async () => {
    const scene = await sceneWith(10)
    const consumer = await started(scene)
    const got: string[] = []
    const loop = (async () => {
      for await (const { body } of consumer) {
        got.push(body.toString())
        if (got.length === 5) await scene.pause('puller', 7000)
      }
    })()
    await scene.world.clock.advance(6000)
    expect(committed(scene)).toBe(4)
    await scene.until(() => got.length === 10)
    await scene.run(consumer.close())
    await scene.run(loop)
    expect(got).toEqual(numbers(10))
    expect(committed(scene)).toBe(10)
  })

  test('is waited for by close until it is done with its message', async () => {
    const scene = await sceneWith(10)
    const consumer = await started(scene)
    const got: string[] = []
    const loop = (async () => {
      for await (const { body } of consumer) {
        await scene.pause('puller', 2000)
        got.push(body.toString())
      }
    })()
    await scene.world.clock.advance(3000)
    await scene.run(consumer.close())
    await scene.run(loop)
    expect(got).toEqual(['0', '1'])
    expect(committed(scene)).toBe(2)
  })

  test('that fails leaves its message to the next loop', async () => {
    const scene = await sceneWith(4)
    const consumer = await started(scene)
    const fail = async (): Promise<void> => {
      for await (const { body } of consumer) {
        if (body.toString() === '1') throw new Error('not this time')
      }
    }
    await expect(scene.run(fail())).rejects.toThrow('not this time')
    const got: string[] = []
    const loop = (async () => {
      for await (const { body } of consumer) if (got.push(body.toString()) === 3) return
    })()
    await scene.run(loop)
    expect(got).toEqual(['1', '2', '3'])
    await scene.run(consumer.close())
    expect(committed(scene)).toBe(3)
  })

  test('and another share the messages, and commit what both have done', async () => {
    const scene = await sceneWith(20)
    const consumer = await started(scene)
    const got: string[] = []
    const work = async (durationMs: number): Promise<void> => {
      for await (const { body } of consumer) {
        await scene.pause('puller', durationMs)
        got.push(body.toString())
      }
    }
    const loops = [work(100), work(900)]
    await scene.world.clock.advance(1500)
    expect(got).not.toContain('19')
    await scene.until(() => got.length === 20)
    await scene.run(consumer.close())
    await scene.run(Promise.all(loops))
    expect(got.sort()).toEqual(numbers(20).sort())
    expect(committed(scene)).toBe(20)
  })
})
