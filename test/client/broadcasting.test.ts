/** With broadcasting every member gets every message, and knows by itself how far it is. */
import type { PushConsumer } from '@rockhopper/client'
import { readWholeFile } from '@rockhopper/host'
import { describe, expect, test } from 'vitest'
import { failure, GROUP, Scene, TOPIC } from './scene.ts'

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `${from + i}`)

const HOME = '/home/app'

async function sceneWith(count: number, queues = 2): Promise<Scene> {
  const scene = await Scene.open({ queues })
  put(scene, 0, count, queues)
  return scene
}

function put(scene: Scene, from: number, to: number, queues = 2): void {
  for (let i = from; i < to; i++) scene.broker().put(TOPIC, i % queues, `${i}`)
}

async function join(
  scene: Scene,
  name: string,
  got: string[],
  options: Parameters<Scene['consumer']>[0] = {},
): Promise<PushConsumer> {
  const consumer = scene
    .consumer({ messageModel: 'broadcasting', localOffsetStoreDir: HOME, ...options }, name)
    .subscribe(TOPIC, '*', ({ body }) => void got.push(body.toString()))
  await scene.run(consumer.start())
  return consumer
}

const sorted = (list: readonly string[]): string[] =>
  [...list].sort((a, b) => Number(a) - Number(b))

function pathOf(scene: Scene, name: string): string {
  const ip = scene.doors(name).machine.addresses[0]
  return `${HOME}/${ip}@DEFAULT/${GROUP}/offsets.json`
}

function textOf(scene: Scene, name: string, suffix = ''): string | undefined {
  return readWholeFile(scene.doors(name).disk, pathOf(scene, name) + suffix)?.toString()
}

function write(scene: Scene, name: string, suffix: string, text: string): void {
  const { disk } = scene.doors(name)
  const path = pathOf(scene, name)
  disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
  const file = disk.open(path + suffix, 'create')
  file.setLength(0)
  file.writeSync([Buffer.from(text)], 0)
  file.close()
}

const row = (queueId: number, offset: number): string =>
  `{\n\t\t\t"brokerName":"broker-a",\n\t\t\t"queueId":${queueId},\n\t\t\t"topic":"${TOPIC}"\n\t\t}:${offset}`

test('every member gets every message', async () => {
  const scene = await sceneWith(10)
  const got = [[], []] as [string[], string[]]
  await join(scene, 'first', got[0])
  await join(scene, 'second', got[1])
  await scene.until(() => got.every((own) => own.length === 10))
  put(scene, 10, 20)
  await scene.until(() => got.every((own) => own.length === 20))
  for (const own of got) expect(sorted(own)).toEqual(numbers(0, 20))
})

test('the broker hears no offsets, no retry topic is subscribed, no lock is taken', async () => {
  const scene = await sceneWith(10)
  const got: string[] = []
  const consumer = await join(scene, 'first', got, { orderly: true })
  await scene.world.clock.advance(30_000)
  await scene.run(consumer.close())
  const broker = scene.broker()
  expect([broker.offsets.size, broker.locks.size, got.length]).toEqual([0, 0, 10])
  const [data] = broker.heartbeats[0]?.consumerDataSet ?? []
  expect(data?.messageModel).toBe('BROADCASTING')
  expect(data?.subscriptionDataSet.map(({ topic }) => topic)).toEqual([TOPIC])
  expect(broker.heartbeats[0]?.clientID).toMatch(/@DEFAULT$/)
})

test('the offsets are in a file of the shape that Apache clients write', async () => {
  const scene = await sceneWith(5)
  const got: string[] = []
  await join(scene, 'first', got)
  await scene.world.clock.advance(6000)
  expect(textOf(scene, 'first')).toBe(`{\n\t"offsetTable":{${row(0, 3)},${row(1, 2)}\n\t}\n}`)
  put(scene, 5, 6)
  await scene.world.clock.advance(6000)
  expect(textOf(scene, 'first')).toContain(row(1, 3))
  expect(textOf(scene, 'first', '.bak')).toContain(row(1, 2))
})

test('a member that starts again goes on where it was, also when it was killed', async () => {
  const scene = await sceneWith(10)
  const got: string[] = []
  const consumer = await join(scene, 'first', got, { consumeFromWhere: 'last' })
  await scene.world.clock.advance(6000)
  put(scene, 10, 12)
  await scene.world.clock.advance(6000)
  expect(sorted(got)).toEqual(numbers(10, 12))
  await scene.run(consumer.close())
  put(scene, 12, 14)
  const second = await join(scene, 'first', got, { consumeFromWhere: 'last' })
  await scene.world.clock.advance(6000)
  scene.world.host('first').kill()
  void second.close()
  put(scene, 14, 16)
  scene.world.host('first').restart()
  await join(scene, 'first', got, { consumeFromWhere: 'last' })
  await scene.until(() => got.length >= 6)
  expect(sorted(got)).toEqual(numbers(10, 16))
})

test('rows of queues that are not ours stay in the file', async () => {
  const scene = await sceneWith(2)
  const other = '{"brokerName":"broker-z","queueId":7,"topic":"elsewhere"}:99'
  write(scene, 'first', '', `{"offsetTable":{${other}}}`)
  await join(scene, 'first', [])
  await scene.world.clock.advance(6000)
  expect(textOf(scene, 'first')?.replace(/\s/g, '')).toContain(other)
})

describe('a file that is broken', () => {
  test('is replaced by its backup', async () => {
    const scene = await sceneWith(10)
    write(scene, 'first', '', '{"offsetTa')
    const key = (queueId: number) =>
      `{"brokerName":"broker-a","queueId":${queueId},"topic":"${TOPIC}"}`
    write(scene, 'first', '.bak', `{"offsetTable":{${key(0)}:4,${key(1)}:5}}`)
    const got: string[] = []
    await join(scene, 'first', got)
    await scene.world.clock.advance(1000)
    expect(got).toEqual(['8'])
  })

  test('and has no backup refuses the start, rather than consume everything anew', async () => {
    const scene = await sceneWith(10)
    write(scene, 'first', '', 'nonsense')
    const consumer = scene
      .consumer({ messageModel: 'broadcasting', localOffsetStoreDir: HOME }, 'first')
      .subscribe(TOPIC, '*', () => {})
    const error = await scene.run(failure(consumer.start()))
    expect(error.code).toBe('BAD_OPTION')
    expect(error.message).toContain(pathOf(scene, 'first'))
    expect(error.message).toContain('repair the file, or remove it')
  })
})

test.each([false, true])(
  'a message that fails is told of and dropped (orderly: %s)',
  async (orderly) => {
    const scene = await sceneWith(3, 1)
    const failed: string[] = []
    const consumer = scene
      .consumer(
        { messageModel: 'broadcasting', localOffsetStoreDir: HOME, orderly, maxReconsumeTimes: 0 },
        'first',
      )
      .subscribe(TOPIC, '*', ({ body }) => {
        if (body.toString() === '1') throw new Error('no')
      })
      .on('failed', ({ message, after }) => failed.push(`${message.body} ${after}`))
    await scene.run(consumer.start())
    await scene.world.clock.advance(6000)
    expect(failed).toEqual(['1 dropped'])
    expect(scene.broker().sentBack).toEqual([])
    expect(textOf(scene, 'first')).toContain(row(0, 3))
  },
)

test('a name for the instance changes the client id and the path', async () => {
  const scene = await sceneWith(1)
  const got: string[] = []
  const consumer = await join(scene, 'first', got, { instanceName: 'worker-2' })
  expect(consumer.clientId).toMatch(/@worker-2$/)
  await scene.world.clock.advance(6000)
  const path = `${HOME}/${consumer.clientId}/${GROUP}/offsets.json`
  expect(scene.doors('first').disk.stat(path)?.kind).toBe('file')
})
