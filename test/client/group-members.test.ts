/** All members of a group come to one list of members and queues, also when brokers do not. */
import type { PushConsumer } from '@rockhopper/client'
import { expect, test } from 'vitest'
import { GROUP, Scene, TOPIC } from './scene.ts'

const QUEUES = 4
const BROKERS = ['broker-a', 'broker-b']

async function join(scene: Scene, name: string): Promise<PushConsumer> {
  const consumer = scene.consumer({}, name).subscribe(TOPIC, '*', () => undefined)
  await scene.run(consumer.start())
  return consumer
}

/** How many queues the members have, and how many different ones that are. */
function shares(members: readonly PushConsumer[]): string {
  const names = members.flatMap(({ queues }) =>
    queues.map(({ brokerName, queueId }) => `${brokerName} ${queueId}`),
  )
  return `${members.map(({ queues }) => queues.length).join()} ${new Set(names).size}`
}

test('members agree while one of the brokers does not know all of them', async () => {
  const scene = await Scene.open({ brokers: BROKERS, queues: QUEUES })
  const members = [await join(scene, 'a'), await join(scene, 'b'), await join(scene, 'c')]
  await scene.until(() => shares(members) === '3,3,2 8', 2_000)
  for (const name of BROKERS) {
    const broker = scene.brokers.find((each) => each.name === name)
    broker?.forget(GROUP)
    scene.brokers.find((each) => each.name !== name)?.notify(GROUP)
    for (let i = 0; i < 100; i++) {
      await scene.world.clock.advance(10)
      expect(shares(members)).toBe('3,3,2 8')
    }
    // All of them are known to all brokers again.
    await scene.world.clock.advance(31_000)
  }
})

test('members share the queues when the first brokers of a topic are silent', async () => {
  const brokers = ['a', 'b', 'c', 'd', 'e'].map((each) => `broker-${each}`)
  const scene = await Scene.open({ brokers, queues: 2 })
  const first = await join(scene, 'first')
  await scene.until(() => shares([first]) === '10 10', 2_000)
  scene.doors('second')
  for (const name of brokers.slice(0, 4)) scene.world.network.partition(['first', 'second'], [name])
  const second = await join(scene, 'second')
  await scene.until(() => shares([first, second]) === '5,5 10', 30_000)
})

test('a broker that is silent holds a share up for no more than a moment', async () => {
  const scene = await Scene.open({ brokers: BROKERS, queues: QUEUES })
  const [first, second] = [await join(scene, 'first'), await join(scene, 'second')]
  await scene.until(() => shares([first, second]) === '4,4 8', 2_000)
  scene.world.network.partition(['first'], ['broker-a'])
  await scene.run(second.close())
  // One look may be under way, and another one comes behind it; each request waits for 3 s.
  await scene.until(() => shares([first]) === '8 8', 1_500)
})

test('a member that reached no name server learns of a new broker within seconds', async () => {
  const scene = await Scene.open({ brokers: BROKERS, queues: QUEUES })
  const all = scene.routes.get(TOPIC)
  scene.routes.set(TOPIC, scene.routeOf(QUEUES, 6, scene.brokers.slice(0, 1)))
  const member = await join(scene, 'a')
  await scene.until(() => shares([member]) === '4 4', 2_000)
  scene.world.network.partition(['a'], ['namesrv'])
  if (all !== undefined) scene.routes.set(TOPIC, all)
  await scene.world.clock.advance(40_000)
  expect(shares([member])).toBe('4 4')
  scene.world.network.mend('a', 'namesrv')
  // The next regular question would come up to 30 s later.
  await scene.until(() => shares([member]) === '8 8', 8_000)
})
