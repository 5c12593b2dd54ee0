/** A broker that a name server has lost, and that comes back. */
import { expect, test } from 'vitest'
import { Scene, TOPIC } from './scene.ts'

const HEAL_MS = 10_000

async function consuming(): Promise<{ scene: Scene; got: string[] }> {
  const scene = await Scene.open({ brokers: ['broker-a', 'broker-b'], queues: 1 })
  const got: string[] = []
  const consumer = scene.consumer().subscribe(TOPIC, '*', ({ body }) => {
    got.push(body.toString())
  })
  await scene.run(consumer.start())
  return { scene, got }
}

/** The route names these brokers; the poll that finds it is past. */
async function routeTo(scene: Scene, count: number): Promise<void> {
  scene.routes.set(TOPIC, scene.routeOf(1, 6, scene.brokers.slice(2 - count)))
  await scene.world.clock.advance(31_000)
}

test('a consumer reads a broker soon after it is in the route again', async () => {
  const { got, scene } = await consuming()
  await routeTo(scene, 1)
  await scene.world.clock.advance(150_000)
  const asked = scene.routeQuestions.length
  await scene.until(() => scene.routeQuestions.length > asked)
  await scene.world.clock.advance(100)
  scene.broker(0).put(TOPIC, 0, 'new')
  scene.routes.set(TOPIC, scene.routeOf(1))
  await scene.world.clock.advance(HEAL_MS)
  expect(got).toEqual(['new'])
})

test('a broker that does not come back is asked for no more than others after ten minutes', async () => {
  const { scene } = await consuming()
  await routeTo(scene, 1)
  await scene.world.clock.advance(620_000)
  scene.routeQuestions.length = 0
  await scene.world.clock.advance(60_000)
  const questions = scene.routeQuestions.filter((topic) => topic === TOPIC)
  expect(questions.length).toBeLessThanOrEqual(3)
})
