/**
 * Masters and slaves of two makes: the log of a slave is that of its master byte for byte, whoever
 * made the one and the other, also after each was gone for a while.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DefaultProducer } from '@rockhopper/client'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { endAll } from '../processes/child.ts'
import { freePort } from '../processes/port.ts'
import { apache } from './apache.ts'
import { ours } from './ours.ts'
import { patienceMs } from './patience.ts'
import type { Broker, ServerFamily } from './server.ts'
import { ask, makeTopic, poll } from './wire.ts'
import { makeDir } from './workplace.ts'

const TOPIC = 'replicated'
const GET_BROKER_RUNTIME_INFO = 28
/** What a slave was away for. */
const MISSED = 200_000

interface Member {
  readonly family: ServerFamily
  readonly store: string
  readonly port: number
  readonly settings: Readonly<Record<string, string>>
  broker?: Broker
}

class Pair {
  readonly #runDir: string
  readonly #namesrv: string
  readonly master: Member
  readonly slave: Member
  readonly #producer: DefaultProducer

  private constructor(runDir: string, namesrv: string, master: Member, slave: Member) {
    this.#runDir = runDir
    this.#namesrv = namesrv
    this.master = master
    this.slave = slave
    this.#producer = new DefaultProducer({
      ...{ group: 'replicating', namesrvAddr: namesrv, sendTimeoutMs: patienceMs },
    })
  }

  static async make(
    master: ServerFamily,
    slave: ServerFamily,
    masterSettings: Readonly<Record<string, string>> = {},
  ): Promise<Pair> {
    const runDir = inject('runDir')
    const namesrv = await ours.startNameServer(runDir)
    const member = async (
      family: ServerFamily,
      settings: Readonly<Record<string, string>>,
    ): Promise<Member> => {
      const port = await freePort()
      return { family, store: makeDir(runDir, 'replica'), port, settings }
    }
    const one = await member(master, { brokerRole: 'ASYNC_MASTER', ...masterSettings })
    const other = await member(slave, { brokerRole: 'SLAVE', brokerId: '1' })
    return new Pair(runDir, namesrv.addr, one, other)
  }

  async start(member: Member): Promise<void> {
    const { family, port, settings, store } = member
    member.broker = await family.startBroker(this.#runDir, {
      ...{ namesrv: this.#namesrv, name: 'replica-a', clusterName: 'Replicas', port },
      settings: {
        storePathRootDir: store,
        storePathCommitLog: join(store, 'commitlog'),
        ...settings,
      },
    })
    if (member === this.master) {
      await makeTopic({ namesrv: this.#namesrv, broker: member.broker.addr }, TOPIC, 4)
    }
  }

  async open(): Promise<void> {
    await this.#producer.start()
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }

  async kill(member: Member): Promise<void> {
    member.broker?.child.kill()
    await member.broker?.child.ended
  }

  /** Statuses of so many sends, and how often each came. */
  async send(count: number, bodyBytes: number): Promise<Record<string, number>> {
    const statuses: Record<string, number> = {}
    let next = 0
    const sender = async (): Promise<void> => {
      while (next < count) {
        const body = randomBytes(bodyBytes)
        next += 1
        const { status } = await this.#producer.send({ topic: TOPIC, body })
        statuses[status] = (statuses[status] ?? 0) + 1
      }
    }
    await Promise.all(Array.from({ length: 64 }, sender))
    return statuses
  }

  async #end(member: Member): Promise<number> {
    const { body } = await ask(member.broker?.addr ?? '', GET_BROKER_RUNTIME_INFO)
    return Number(/"commitLogMaxOffset":\s*"(\d+)"/.exec(body)?.[1])
  }

  /** Waits until the logs end at the same offset. */
  async untilEqual(): Promise<void> {
    await poll(
      'slave that has all of its master',
      async () => (await this.#end(this.master)) === (await this.#end(this.slave)),
    )
    await this.expectEqual()
  }

  /** Expects the logs to end at the same offset, and the files of both to be the same. */
  async expectEqual(): Promise<void> {
    const end = await this.#end(this.master)
    expect(await this.#end(this.slave)).toBe(end)
    const files = readdirSync(join(this.slave.store, 'commitlog')).filter((name) => {
      return /^\d{20}$/.test(name) && Number(name) < end
    })
    expect(files.length).toBeGreaterThan(0)
    for (const name of files) {
      const copy = readFileSync(join(this.slave.store, 'commitlog', name))
      const original = readFileSync(join(this.master.store, 'commitlog', name))
      const sizeBytes = Math.min(original.length, end - Number(name))
      const isSame = original.subarray(0, sizeBytes).equals(copy.subarray(0, sizeBytes))
      expect(`${name}: ${isSame ? 'the same' : 'something else'}`).toBe(`${name}: the same`)
    }
  }

  slaveFiles(): string[] {
    return readdirSync(join(this.slave.store, 'commitlog')).filter((name) => /^\d{20}$/.test(name))
  }
}

describe.each([
  ['our master and an Apache slave', ours, apache],
  ['an Apache master and our slave', apache, ours],
] as const)('%s', (_, masterFamily, slaveFamily) => {
  let pair: Pair

  beforeAll(async () => {
    pair = await Pair.make(masterFamily, slaveFamily)
    await pair.start(pair.master)
    await pair.start(pair.slave)
    await pair.open()
  })

  afterAll(async () => {
    await pair.close()
    await endAll()
  })

  test('have the same log from the first message on', async () => {
    expect(await pair.send(2_000, 500)).toEqual({ SEND_OK: 2_000 })
    await pair.untilEqual()
  })

  test('have the same log over the end of a segment', async () => {
    await pair.send(400, 60_000)
    await pair.untilEqual()
    expect(pair.slaveFiles().length).toBeGreaterThan(1)
  })

  test('have the same log after the slave was killed and came back', async () => {
    await pair.kill(pair.slave)
    await pair.send(500, 1_000)
    await pair.start(pair.slave)
    await pair.untilEqual()
  })

  test('have the same log after the master was killed and came back', async () => {
    await pair.kill(pair.master)
    await pair.start(pair.master)
    await pair.send(500, 1_000)
    await pair.untilEqual()
  })

  test('have the same log after the slave missed 200,000 messages', async () => {
    await pair.kill(pair.slave)
    await pair.send(MISSED, 100)
    await pair.start(pair.slave)
    await pair.untilEqual()
  })
})

describe.each([
  ['our master and an Apache slave', ours, apache],
  ['an Apache master and our slave', apache, ours],
] as const)('%s that begins with nothing, late,', (_, masterFamily, slaveFamily) => {
  let pair: Pair

  beforeAll(async () => {
    pair = await Pair.make(masterFamily, slaveFamily)
    await pair.start(pair.master)
    await pair.open()
  })

  afterAll(async () => {
    await pair.close()
    await endAll()
  })

  test('have the same last segments', async () => {
    await pair.send(700, 60_000)
    await pair.start(pair.slave)
    await pair.untilEqual()
    expect(pair.slaveFiles()).not.toContain('0'.repeat(20))
    await pair.send(500, 60_000)
    await pair.untilEqual()
  })
})

describe.each([
  ['our master and an Apache slave', ours, apache, {}],
  ['an Apache master and our slave', apache, ours, { inSyncReplicas: '2' }],
] as const)('%s, the master synchronous,', (_, masterFamily, slaveFamily, settings) => {
  let pair: Pair

  beforeAll(async () => {
    pair = await Pair.make(masterFamily, slaveFamily, {
      ...{ brokerRole: 'SYNC_MASTER', slaveTimeout: '60000' },
      ...settings,
    })
    await pair.start(pair.master)
    await pair.start(pair.slave)
    await pair.open()
  })

  afterAll(async () => {
    await pair.close()
    await endAll()
  })

  test('have what is acknowledged both', async () => {
    await poll('acknowledgement', async () => (await pair.send(1, 10))['SEND_OK'] === 1)
    expect(await pair.send(2_000, 300)).toEqual({ SEND_OK: 2_000 })
    await pair.expectEqual()
  })
})
