/** A member that was cut off goes on where its group is, and does not put it back. */
import type { Host, Stream } from '@rockhopper/host'
import { courtesyGroupOf } from '@rockhopper/protocol'
import { describe, expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const CUT_MS = 30_000
const LOCK = `${courtesyGroupOf(GROUP)} ${TOPIC} 0`
const OFFSET = `${GROUP} ${TOPIC} 0`

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `${from + i}`)

/** A member handles ten messages, one in a second; during most of them nothing that it says is heard. */
class CutOff {
  readonly scene: Scene
  readonly got: string[] = []
  readonly consumer
  #isCut = false

  private constructor(scene: Scene) {
    this.scene = scene
    const host = unheard(scene.doors('consumer'), () => this.#isCut)
    this.consumer = scene
      .consumer({ host, concurrency: 1 })
      .subscribe(TOPIC, '*', async ({ body }) => {
        await scene.pause('consumer', 1_000)
        this.got.push(body.toString())
      })
  }

  static async begin(): Promise<CutOff> {
    const scene = await Scene.open({ queues: 1 })
    for (let i = 0; i < 10; i++) scene.broker().put(TOPIC, 0, `${i}`)
    const story = new CutOff(scene)
    await scene.run(story.consumer.start())
    await scene.until(() => story.got.length === 2)
    story.#isCut = true
    await scene.world.clock.advance(CUT_MS)
    expect(story.got).toEqual(numbers(0, 10))
    return story
  }

  takeOver(isKept: boolean): void {
    takeOver(this.scene, isKept)
  }

  /** Offsets that were committed since `takeOver`, in order. */
  get committed(): number[] {
    return committed(this.scene)
  }

  mend(): void {
    this.#isCut = false
  }
}

/** Another member has handled messages up to the offset 15, and has the queue, or gave it back. */
function takeOver(scene: Scene, isKept: boolean): void {
  const { locks, offsets } = scene.broker()
  for (let i = 10; i < 20; i++) scene.broker().put(TOPIC, 0, `${i}`)
  locks.delete(LOCK)
  if (isKept) locks.set(LOCK, { clientId: 'another', untilMs: Number.POSITIVE_INFINITY })
  offsets.set(OFFSET, 15)
  scene.broker().events.length = 0
}

function committed(scene: Scene): number[] {
  return scene
    .broker()
    .events.filter((event) => event.startsWith(`commit ${TOPIC} 0 `))
    .map((event) => Number(event.split(' ')[3]))
}

/** What is written while it is cut off is lost, and does not come late, as it does in a network. */
function unheard(given: Host, isCut: () => boolean): Host {
  const { connect, listen } = given.network
  const network: Host['network'] = {
    connect: async (address, timeoutMs) => {
      return losing(await connect.call(given.network, address, timeoutMs), isCut)
    },
    listen: listen.bind(given.network),
  }
  return { ...given, network }
}

function losing(stream: Stream, isCut: () => boolean): Stream {
  const write = (chunks: readonly Uint8Array[]): void => {
    if (!isCut()) stream.write(chunks)
  }
  return new Proxy(stream, {
    get(target, key: string & keyof Stream) {
      const value = key === 'write' ? write : target[key]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

describe('a member whose queue another took while it was cut off', () => {
  for (const [what, isKept] of [
    ['who has it still', true],
    ['who gave it back', false],
  ] as const) {
    test(`goes on where the other is, ${what}, and commits nothing before that`, async () => {
      const story = await CutOff.begin()
      story.takeOver(isKept)
      story.mend()
      await story.scene.until(() => story.got.includes('19'))
      await story.scene.world.clock.advance(10_000)
      expect(story.committed.length).toBeGreaterThan(0)
      expect(Math.min(...story.committed)).toBeGreaterThanOrEqual(15)
    })

    test(`commits nothing when it is closed at once, ${what}`, async () => {
      const story = await CutOff.begin()
      story.takeOver(isKept)
      story.mend()
      await story.scene.run(story.consumer.close())
      expect(story.committed).toEqual([])
    })
  }
})

describe('a member whose queue nobody took while it was cut off', () => {
  test('goes on where it is, and nothing comes twice', async () => {
    const story = await CutOff.begin()
    story.scene.broker().put(TOPIC, 0, '10')
    story.mend()
    await story.scene.until(() => story.got.length === 11)
    await story.scene.world.clock.advance(10_000)
    expect(story.got).toEqual(numbers(0, 11))
    expect(story.scene.broker().offsets.get(OFFSET)).toBe(11)
  })

  test('commits where it is when it is closed at once', async () => {
    const story = await CutOff.begin()
    story.mend()
    await story.scene.run(story.consumer.close())
    expect(story.scene.broker().offsets.get(OFFSET)).toBe(10)
  })
})

test('a member that fetches its messages goes on where the other is, too', async () => {
  const scene = await Scene.open({ queues: 1 })
  for (const body of numbers(0, 10)) scene.broker().put(TOPIC, 0, body)
  let isCut = false
  const host = unheard(scene.doors('puller'), () => isCut)
  const consumer = scene.litePuller({ host, pullBatchSize: 5, autoCommitIntervalMs: 1_000 })
  await scene.run(consumer.subscribe(TOPIC).start())
  const got: string[] = []
  const poll = async (timeoutMs: number): Promise<void> => {
    for (const { body } of await scene.run(consumer.poll(timeoutMs))) got.push(body.toString())
  }
  await poll(5_000)
  await scene.world.clock.advance(1_000)
  isCut = true
  await scene.world.clock.advance(CUT_MS)
  await poll(0)
  expect(got).toEqual(numbers(0, 10))
  takeOver(scene, true)
  isCut = false
  // All of them are consumed now, and that is committed every second.
  await poll(0)
  for (let tries = 0; tries < 20 && !got.includes('19'); tries++) await poll(1_000)
  await poll(0)
  await scene.world.clock.advance(10_000)
  expect(got).toContain('19')
  expect(committed(scene).length).toBeGreaterThan(0)
  expect(Math.min(...committed(scene))).toBeGreaterThanOrEqual(15)
})
