/** A message is handled once, whatever ends the process, as long as its key is remembered. */
import {
  type Claim,
  FileOnceStore,
  MemoryOnceStore,
  type OnceStore,
  once,
  type ReceivedMessage,
} from '@rockhopper/client'
import { readWholeFile } from '@rockhopper/host'
import { createWorld, type SimHost } from '@rockhopper/sim'
import { describe, expect, test } from 'vitest'
import { Scene, TOPIC } from './scene.ts'

const DIRECTORY = '/once/shop'
const DAY_MS = 86_400_000

describe('a handler that is called once', () => {
  test('is not called for a copy of a message that it handled', async () => {
    const scene = await Scene.open({ queues: 1 })
    for (const id of ['a', 'a', 'b', 'a']) scene.broker().put(TOPIC, 0, id, { UNIQ_KEY: id })
    const got: string[] = []
    const store = new MemoryOnceStore({ host: scene.doors('consumer') })
    const handle = once(({ body }) => void got.push(body.toString()), { store })
    const consumer = scene.consumer({ orderly: true }).subscribe(TOPIC, '*', handle)
    await scene.run(consumer.start())
    await scene.world.clock.advance(10_000)
    expect(got).toEqual(['a', 'b'])
    expect(scene.broker().sentBack).toEqual([])
  })

  test('is called again for a message that failed', async () => {
    const scene = await Scene.open({ queues: 1 })
    scene.broker().put(TOPIC, 0, 'a')
    let calls = 0
    const store = new MemoryOnceStore({ host: scene.doors('consumer') })
    const handle = once(
      () => {
        if (++calls === 1) throw new Error('no')
      },
      { store },
    )
    const consumer = scene.consumer({ orderly: true }).subscribe(TOPIC, '*', handle)
    await scene.run(consumer.start())
    await scene.world.clock.advance(10_000)
    expect(calls).toBe(2)
  })

  test('knows messages by the key that it is told', async () => {
    const got: string[] = []
    const handle = once(({ msgId }) => void got.push(msgId), {
      store: new MemoryOnceStore({ host: createWorld(1).host('a').doors }),
      key: ({ keys }) => keys.join(),
    })
    await call(handle, { msgId: 'a', keys: ['order 7'] })
    await call(handle, { msgId: 'b', keys: ['order 7'] })
    await call(handle, { msgId: 'c', keys: ['order 8'] })
    expect(got).toEqual(['a', 'c'])
  })

  test('leaves a message to come again that somebody else is at', async () => {
    const got: string[] = []
    const busy: OnceStore = {
      claim: () => 'busy',
      finish: () => undefined,
      release: () => undefined,
    }
    const handle = once(({ msgId }) => void got.push(msgId), { store: busy })
    await expect(call(handle, { msgId: 'a' })).rejects.toThrow(
      /another handler is at the message "a"/,
    )
    expect(got).toEqual([])
  })

  test('is not done before its store has noted it', async () => {
    const steps: string[] = []
    const store: OnceStore = {
      claim: (): Claim => 'yours',
      finish: async () => {
        await Promise.resolve()
        steps.push('noted')
        throw new Error('disk full')
      },
      release: () => void steps.push('given back'),
    }
    const handle = once(() => void steps.push('handled'), { store })
    await expect(call(handle, { msgId: 'a' })).rejects.toThrow('disk full')
    // It may have been noted: only the end of its lease frees the key.
    expect(steps).toEqual(['handled', 'noted'])
  })
})

function call(
  handle: ReturnType<typeof once>,
  message: Partial<Pick<ReceivedMessage, 'msgId' | 'keys'>>,
): Promise<void> {
  return Promise.resolve(handle(message as ReceivedMessage, {} as Parameters<typeof handle>[1]))
}

describe('a store of handled messages', () => {
  const open = (host: SimHost, limits = {}): FileOnceStore =>
    new FileOnceStore({ directory: DIRECTORY, host: host.doors, ...limits })

  async function finish(
    world: ReturnType<typeof createWorld>,
    store: OnceStore,
    ...keys: string[]
  ) {
    for (const key of keys) expect(store.claim(key, 1_000)).toBe('yours')
    await world.clock.settle(Promise.all(keys.map((key) => store.finish(key))))
  }

  test.each(['memory', 'file'])(
    'in a %s gives a key to one at a time, until its lease is over',
    async (kind) => {
      const world = createWorld(1)
      const host = world.host('a')
      const store = kind === 'file' ? open(host) : new MemoryOnceStore({ host: host.doors })
      expect(store.claim('k', 1_000)).toBe('yours')
      expect(store.claim('k', 1_000)).toBe('busy')
      store.release('k')
      expect(store.claim('k', 1_000)).toBe('yours')
      await world.clock.advance(1_001)
      expect(store.claim('k', 1_000)).toBe('yours')
      await world.clock.settle(Promise.resolve(store.finish('k')))
      expect(store.claim('k', 1_000)).toBe('handled')
    },
  )

  test.each(['memory', 'file'])(
    'in a %s forgets what is oldest, and what is too old',
    async (kind) => {
      const world = createWorld(1)
      const host = world.host('a')
      const limits = { maxKeys: 2, ttlMs: DAY_MS }
      const store =
        kind === 'file' ? open(host, limits) : new MemoryOnceStore({ host: host.doors, ...limits })
      await finish(world, store, 'a', 'b', 'c')
      expect(['b', 'c'].map((key) => store.claim(key, 1_000))).toEqual(['handled', 'handled'])
      expect(store.claim('a', 1_000)).toBe('yours')
      await world.clock.advance(DAY_MS)
      expect(store.claim('c', 1_000)).toBe('yours')
    },
  )

  test.each([{ maxKeys: 0 }, { maxKeys: 1.5 }, { ttlMs: 0 }, { ttlMs: Number.NaN }])(
    'refuses %j',
    (limits) => {
      const host = createWorld(1).host('a').doors
      expect(() => new MemoryOnceStore({ host, ...limits })).toThrow(/maxKeys|ttlMs/)
    },
  )

  test.each(['kill', 'crash'] as const)(
    'in a file knows after a %s what it had noted',
    async (how) => {
      for (let seed = 1; seed <= 20; seed++) {
        const world = createWorld(seed)
        const host = world.host('a')
        const store = open(host)
        await finish(world, store, 'a', 'b')
        await finish(world, store, 'c')
        // Nobody was told that this one is noted.
        store.claim('d', 1_000)
        store.finish('d').catch(() => undefined)
        host[how]()
        host.restart()
        const again = open(host)
        expect(['a', 'b', 'c'].map((key) => again.claim(key, 1_000))).toEqual(
          Array(3).fill('handled'),
        )
        await finish(world, again, 'e')
        host[how]()
        host.restart()
        expect(['a', 'c', 'e'].map((key) => open2(host, key))).toEqual(Array(3).fill('handled'))
      }
    },
  )

  /** Opens the file for one question. */
  function open2(host: SimHost, key: string): Claim {
    const store = open(host)
    const claim = store.claim(key, 1_000)
    host.kill()
    host.restart()
    return claim
  }

  test('in a file overwrites an entry that was torn', async () => {
    const world = createWorld(1)
    const host = world.host('a')
    const store = open(host)
    await finish(world, store, 'a', 'b')
    await world.clock.settle(store.close())
    const file = host.doors.disk.open(`${DIRECTORY}/handled`, 'update')
    file.setLength(file.sizeBytes() - 1)
    file.close()
    const again = open(host)
    expect(again.claim('a', 1_000)).toBe('handled')
    expect(again.claim('b', 1_000)).toBe('yours')
    await world.clock.settle(again.finish('b'))
    await world.clock.settle(again.close())
    expect(['a', 'b'].map((key) => open2(host, key))).toEqual(['handled', 'handled'])
  })

  test('in a file is written anew before it grows without end, and forgets nothing by it', async () => {
    const world = createWorld(1)
    const host = world.host('a')
    const sizeBytes = (): number =>
      readWholeFile(host.doors.disk, `${DIRECTORY}/handled`)?.length ?? 0
    const store = open(host, { maxKeys: 100 })
    let before = -1
    let round = -1
    while (sizeBytes() > before) {
      before = sizeBytes()
      round++
      const keys = Array.from({ length: 500 }, (_, i) => `key ${round} ${i}`)
      await finish(world, store, ...keys)
      expect(round).toBeLessThan(25)
    }
    host.kill()
    host.restart()
    const again = open(host)
    const claims = [`key ${round} 400`, `key ${round} 499`].map((key) => again.claim(key, 1_000))
    expect([round > 15, sizeBytes() < before / 10, ...claims]).toEqual([
      true,
      true,
      'handled',
      'handled',
    ])
  })

  test('in a file is for one process at a time', () => {
    const host = createWorld(1).host('a')
    open(host)
    expect(() => open(host)).toThrow(/another|held|lock/i)
  })

  test('in a file lets those who finish together share a sync', async () => {
    const world = createWorld(1)
    const host = world.host('a')
    const store = open(host)
    await finish(world, store, 'first')
    const begun = world.clock.monotonicMs()
    await finish(world, store, ...Array.from({ length: 200 }, (_, i) => `k${i}`))
    const tookMs = world.clock.monotonicMs() - begun
    const alone = world.clock.monotonicMs()
    await finish(world, store, 'last')
    expect(tookMs).toBeLessThan((world.clock.monotonicMs() - alone + 1) * 10)
  })
})
