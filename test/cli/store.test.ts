/** rockhopper store as operators run it: on the folder of a broker that ran, was killed, or runs. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DefaultProducer } from '@rockhopper/client'
import { beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../processes/port.ts'
import { build, type Ended, type Program, run, start, temporaryFolder } from './program.ts'

const home = temporaryFolder()
const STORE = 'data/store'

/** Enough for a few messages, and quick to copy. */
const SMALL_FILES = [
  'mappedFileSizeCommitLog=1048576',
  'mappedFileSizeConsumeQueue=6000',
  'maxHashSlotNum=1000',
  'maxIndexNum=4000',
]

function store(...args: string[]): Promise<Ended> {
  return run('rockhopper', ['store', ...args], home)
}

async function runBroker(): Promise<{ broker: Program; namesrvAddr: string }> {
  const [namesrvPort, listenPort] = [await freePort(), await freePort()]
  writeFileSync(join(home, 'broker.conf'), SMALL_FILES.join('\n'))
  const ports = ['--namesrvPort', String(namesrvPort), '--listenPort', String(listenPort)]
  const broker = start('rockhopper', ['-c', 'broker.conf', ...ports], home)
  await broker.says('clients will be told')
  return { broker, namesrvAddr: `127.0.0.1:${namesrvPort}` }
}

async function send(namesrvAddr: string, count: number): Promise<string[]> {
  const producer = new DefaultProducer({ group: 'senders', namesrvAddr })
  await producer.start()
  const ids: string[] = []
  for (let i = 0; i < count; i++) {
    const sent = await producer.send({
      topic: 'Orders',
      keys: [`k${i}`],
      body: Buffer.from(`b${i}`),
    })
    ids.push(sent.offsetMsgId)
  }
  await producer.close()
  return ids
}

describe('rockhopper store', () => {
  let ids: string[] = []
  let seenWhileRunning: Ended[] = []

  beforeAll(async () => {
    build()
    const { broker, namesrvAddr } = await runBroker()
    ids = await send(namesrvAddr, 20)
    seenWhileRunning = await Promise.all([
      store('inspect', STORE),
      store('verify', STORE),
      store('rebuild', STORE, '--into', 'never'),
    ])
    broker.signal('SIGTERM')
    await broker.ended()
  }, 60_000)

  test('looks into a store in use and says who has it, but does not verify or rebuild it', () => {
    const [inspected, verified, rebuilt] = seenWhileRunning
    expect(inspected?.code).toBe(0)
    expect(inspected?.out).toMatch(/in use by process \d+ \(/)
    for (const ended of [verified, rebuilt]) {
      expect(ended?.code).toBe(2)
      expect(ended?.errors).toMatch(/is in use by process \d+ .*stop that process first/)
    }
    expect(existsSync(join(home, 'never'))).toBe(false)
  })

  test('inspect shows what is there, as text and as JSON', async () => {
    const text = await store('inspect', STORE)
    expect(text.code).toBe(0)
    expect(text.out).toContain('last written by Rockhopper; closed in order')
    expect(text.out).toContain('Orders')
    const { code, out } = await store('inspect', STORE, '--topic', 'Orders', '--json')
    expect(code).toBe(0)
    const { queues, restart } = JSON.parse(out)
    expect(restart).toMatchObject({ kind: 'opens', cutBytes: 0 })
    const counts = queues.map(({ maxOffset }: { maxOffset: number }) => maxOffset)
    expect(counts.reduce((sum: number, count: number) => sum + count, 0)).toBe(20)
  })

  test('dump shows one message by its id, its key and its place', async () => {
    const [byId, byKey] = await Promise.all([
      store('dump', STORE, '--id', ids[7] ?? '', '--json'),
      store('dump', STORE, '--key', 'Orders', 'k7', '--body', 'seven'),
    ])
    const [message] = JSON.parse(byId.out)
    expect(message).toMatchObject({ topic: 'Orders', bodyText: 'b7', properties: { KEYS: 'k7' } })
    expect(byKey.out).toContain(`Message ${ids[7]}`)
    expect(readFileSync(join(home, 'seven'), 'utf8')).toBe('b7')
    const place = [String(message.queueId), String(message.queueOffset)]
    const byPlace = await store('dump', STORE, '--queue', 'Orders', ...place)
    expect(byPlace.out).toBe(byKey.out)
    const unknown = await store('dump', STORE, '--unique-key', 'Orders', 'nobody')
    expect(unknown).toMatchObject({ code: 2, out: '' })
  })

  test('verify ends with 0 on a sound store, and with 1 and a line on a damaged one', async () => {
    const sound = await store('verify', STORE)
    expect(sound.errors).toBe('')
    expect(sound.out).toContain('All of it is sound.')
    expect(sound.code).toBe(0)
    const hurt = hurtCopy()
    const { code, out } = await store('verify', hurt)
    expect(code).toBe(1)
    expect(out).toContain(`${join(home, hurt)}/commitlog/00000000000000000000: byte 0: `)
  })

  test('rebuild makes a sound store of a damaged one, which is left as it is', async () => {
    const hurt = hurtCopy()
    const before = logOf(hurt)
    const { code, out } = await store('rebuild', hurt, '--into', 'mended')
    expect(out).toContain('Lost, with an empty message in their place:\n  queue')
    expect(code).toBe(0)
    expect(logOf(hurt).equals(before)).toBe(true)
    expect((await store('verify', 'mended')).code).toBe(0)
    expect(readdirSync(join(home, 'mended'))).toContain('rebuild-report.json')
    const again = await store('rebuild', hurt, '--into', 'mended')
    expect(again).toMatchObject({ code: 2 })
    expect(again.errors).toContain('is not an empty folder')
  })

  test('a wrong command line is answered with a sentence, and 2', async () => {
    const { code, errors, out } = await store('inspect', 'nowhere')
    expect(out).toBe('')
    expect(errors).toMatch(/^There is no folder ".*": name the folder of a store\.\n$/)
    expect(code).toBe(2)
  })

  test('is mentioned where operators look', async () => {
    expect((await run('rockhopper', ['--help'], home)).out).toContain('rockhopper store --help')
    const { code, out } = await store('--help')
    expect(code).toBe(0)
    for (const verb of ['inspect', 'verify', 'dump', 'rebuild']) expect(out).toContain(`  ${verb} `)
  })

  /** A copy of the store in which the body of the first message is damaged. */
  function hurtCopy(): string {
    const name = `hurt-${readdirSync(home).length}`
    mkdirSync(join(home, name))
    for (const part of ['checkpoint', 'config', 'consumequeue', 'index', 'queueends']) {
      cpSync(join(home, STORE, part), join(home, name, part), { recursive: true })
    }
    const log = logOf(STORE)
    log[88] = (log[88] ?? 0) ^ 1
    mkdirSync(join(home, name, 'commitlog'))
    writeFileSync(join(home, name, 'commitlog', '00000000000000000000'), log)
    return name
  }

  function logOf(folder: string): Buffer {
    return readFileSync(join(home, folder, 'commitlog', '00000000000000000000'))
  }
})
