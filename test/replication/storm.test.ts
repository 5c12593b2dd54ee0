/**
 * A synchronous master and two slaves under faults drawn from a seed: processes are killed, machines
 * lose power, networks part. What was acknowledged is at the master when all is over, and the logs
 * are the same, byte for byte.
 */
import { responseCode } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { ReplicationScene } from './scene.ts'

const topic = 'TopicTest'
const ROUNDS = 12
const NAMES = ['master', 'slave-1', 'slave-2'] as const

class Storm {
  readonly #scene: ReplicationScene
  readonly acknowledged: string[] = []
  readonly down = new Set<string>()
  #count = 0

  constructor(scene: ReplicationScene) {
    this.#scene = scene
  }

  async round(): Promise<void> {
    const { random } = this.#scene.world
    await this.#disturb(NAMES[random.below(3)] ?? 'master', random.below(5))
    if (!this.down.has('master')) await this.#send(random.below(60))
    await this.#scene.advance(random.below(4_000))
  }

  /** One machine at a time is down, so that what is promised can be kept. */
  async #disturb(name: string, what: number): Promise<void> {
    const scene = this.#scene
    scene.world.network.heal()
    for (const each of this.down) await scene.start(each)
    this.down.clear()
    if (what === 0) scene.kill(name)
    else if (what === 1) scene.losePower(name)
    else if (what === 2) return this.#part(name)
    else return
    this.down.add(name)
  }

  async #part(name: string): Promise<void> {
    const others = NAMES.filter((each) => each !== name)
    this.#scene.world.network.partition([name], others)
  }

  async #send(count: number): Promise<void> {
    const scene = this.#scene
    const bodyBytes = 1 + scene.world.random.below(30_000)
    const sending = Array.from({ length: count }, async () => {
      const body = `m${this.#count++}`
      const queueId = this.#count % 4
      const padded = body.padEnd(bodyBytes, '.')
      const answer = await scene.sending(topic, padded, { queueId }).catch(() => undefined)
      if (answer?.code === responseCode.SUCCESS) this.acknowledged.push(body)
    })
    const all = Promise.allSettled(sending)
    if (scene.world.random.below(3) === 0) await scene.advance(1 + scene.world.random.below(5))
    else await scene.settle(all)
  }

  async calm(): Promise<void> {
    const scene = this.#scene
    scene.world.network.heal()
    for (const name of this.down) await scene.start(name)
    await scene.advance(40_000)
  }
}

async function play(seed: number): Promise<void> {
  const scene = new ReplicationScene(seed)
  await scene.startNameServer()
  const common = 'flushIntervalCommitLog=2000\nslaveMaxCutBytes=1000000000\n'
  await scene.start('master', `brokerRole=SYNC_MASTER\n${common}`)
  await scene.start('slave-1', `brokerRole=SLAVE\nbrokerId=1\n${common}`)
  await scene.start('slave-2', `brokerRole=SLAVE\nbrokerId=2\nflushDiskType=SYNC_FLUSH\n${common}`)
  await scene.advance(3_000)
  const storm = new Storm(scene)
  for (let round = 0; round < ROUNDS; round++) await storm.round()
  await storm.calm()
  await scene.untilEqual('master', 'slave-1')
  await scene.untilEqual('master', 'slave-2')
  const kept = new Set<string>()
  for (let queueId = 0; queueId < 4; queueId++) {
    for (const body of await scene.bodies('master', topic, queueId)) kept.add(body)
  }
  const lost = storm.acknowledged.filter((body) => !kept.has(body))
  expect(`seed ${seed} lost ${lost.join(' ')}`).toBe(`seed ${seed} lost `)
}

const FIRST = Number(process.env['STORM_SEED'] ?? 1)
const COUNT = Number(process.env['STORM_SEEDS'] ?? 6)

describe('nothing that a synchronous master acknowledged is lost', () => {
  it.each(Array.from({ length: COUNT }, (_, i) => FIRST + i))(
    'under the faults of seed %i',
    async (seed) => {
      await play(seed)
    },
  )
})
