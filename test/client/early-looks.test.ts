/** Who joins while a broker is away learns of it when it is back, and asks name servers for no more. */
import { expect, test } from 'vitest'
import { Scene, TOPIC } from './scene.ts'

/** A consumer that starts when the second broker has taken leave of the name server. */
async function joinsWithoutSecond() {
  const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'], queues: 2 })
  const all = scene.routeOf(2)
  scene.routes.set(TOPIC, scene.routeOf(2, 6, scene.brokers.slice(0, 1)))
  const consumer = scene.consumer().subscribe(TOPIC, '*', () => undefined)
  await scene.run(consumer.start())
  expect(consumer.queues).toHaveLength(2)
  return { all, consumer, scene }
}

for (const [awayMs, limitMs] of [
  [500, 4_500],
  [8_000, 4_500],
  [60_000, 20_000],
] as const) {
  test(`a broker that is back after ${awayMs} ms is read within ${limitMs} ms`, async () => {
    const { all, consumer, scene } = await joinsWithoutSecond()
    await scene.world.clock.advance(awayMs)
    scene.routes.set(TOPIC, all)
    await scene.until(() => consumer.queues.length === 4, limitMs)
  })
}

test('name servers are asked a few times more in the first minutes, and then as often as ever', async () => {
  const { scene } = await joinsWithoutSecond()
  const asked = async (durationMs: number): Promise<number> => {
    const before = scene.routeQuestions.filter((topic) => topic === TOPIC).length
    await scene.world.clock.advance(durationMs)
    return scene.routeQuestions.filter((topic) => topic === TOPIC).length - before
  }
  expect(await asked(180_000)).toBeLessThanOrEqual(25)
  expect(await asked(120_000)).toBe(4)
})

test('a consumer that is closed looks no more', async () => {
  const { consumer, scene } = await joinsWithoutSecond()
  await scene.run(consumer.close())
  const before = scene.routeQuestions.length
  await scene.world.clock.advance(60_000)
  expect(scene.routeQuestions).toHaveLength(before)
})
