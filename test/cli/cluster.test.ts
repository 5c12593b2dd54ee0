/** `cluster` as an operator runs it: a set of configurations, started, looked at and stopped. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../processes/port.ts'
import { build, isAlive, root, run, start, temporaryFolder } from './program.ts'

beforeAll(build)

const folders: string[] = []

afterAll(() => {
  for (const folder of folders) for (const pid of Object.values(pidsIn(folder))) kill(pid)
})

interface SetFolder {
  readonly folder: string
  readonly namesrvPort: number
  readonly masterPort: number
}

/** A master and its slave, on free ports. */
async function pair(): Promise<SetFolder> {
  const folder = temporaryFolder()
  folders.push(folder)
  const [namesrvPort, masterPort, slavePort] = [
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  mkdirSync(join(folder, 'set'))
  const write = (name: string, lines: readonly string[]): void => {
    const common = [
      'brokerName=broker-a',
      `namesrvAddr=127.0.0.1:${namesrvPort}`,
      'mappedFileSizeCommitLog=1048576',
    ]
    writeFileSync(join(folder, 'set', `${name}.properties`), [...common, ...lines].join('\n'))
  }
  write('broker-a', ['brokerId=0', 'brokerRole=SYNC_MASTER', `listenPort=${masterPort}`])
  write('broker-a-s', ['brokerId=1', 'brokerRole=SLAVE', `listenPort=${slavePort}`])
  return { folder, namesrvPort, masterPort }
}

function cluster(word: string, { folder }: SetFolder) {
  return run('cluster', [word, 'set', '--data', 'kept'], folder)
}

/** Processes by the names of their pid files. */
function pidsIn(folder: string): Record<string, number> {
  const run = join(folder, 'kept', 'run')
  try {
    const names = readdirSync(run).map((file) => file.replace('.pid', ''))
    return Object.fromEntries(
      names.map((name) => [name, Number(readFileSync(join(run, `${name}.pid`), 'utf8'))]),
    )
  } catch {
    return {}
  }
}

function kill(pid: number): void {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL')
}

describe('cluster', () => {
  test('starts what does not run, shows it, and stops it, as often as it is told', async () => {
    const set = await pair()
    const first = await cluster('start', set)
    expect(first.errors).toBe('')
    expect(first.code).toBe(0)
    expect(first.out).toMatch(/broker-a-s: started, SLAVE of broker-a with id 1/)
    const pids = pidsIn(set.folder)
    expect(Object.keys(pids).sort()).toEqual(['broker-a', 'broker-a-s', 'namesrv'])

    const again = await cluster('start', set)
    expect(again.out.match(/runs already/g)).toHaveLength(3)
    expect(pidsIn(set.folder)).toEqual(pids)

    const status = await cluster('status', set)
    expect(status.code).toBe(0)
    expect(status.out).toMatch(/broker-a-s +SLAVE +1 .* up +\d+ +0/)

    kill(pids['broker-a-s'] ?? 0)
    const lame = await cluster('status', set)
    expect(lame.code).toBe(1)
    expect(lame.out).toMatch(/broker-a-s .* down/)
    const third = await cluster('start', set)
    expect(third.out).toMatch(/broker-a: runs already/)
    expect(third.out).toMatch(/broker-a-s: started/)

    const stopped = await cluster('stop', set)
    expect(stopped.code).toBe(0)
    expect(Object.values(pidsIn(set.folder))).toEqual([])
    expect((await cluster('status', set)).out.match(/ down/g)).toHaveLength(3)
    expect((await cluster('stop', set)).code).toBe(0)
  }, 180_000)

  test('that cannot start one of them says why, and stops the others', async () => {
    const set = await pair()
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(set.masterPort, '127.0.0.1', resolve))
    const { code, errors } = await cluster('start', set)
    other.close()
    expect(code).toBe(1)
    expect(errors).toMatch(/broker-a ended at once\. The end of .*broker-a\.log:/)
    expect(errors).toContain(String(set.masterPort))
    expect(pidsIn(set.folder)).toEqual({})
  }, 180_000)

  test('that is interrupted while it starts leaves nothing behind', async () => {
    const set = await pair()
    const program = start('cluster', ['start', 'set', '--data', 'kept'], set.folder)
    await program.says('namesrv: started')
    program.signal('SIGINT')
    expect((await program.ended()).code).toBe(130)
    expect(pidsIn(set.folder)).toEqual({})
  }, 180_000)

  test('does not touch a process that only has the number of one of its own', async () => {
    const set = await pair()
    mkdirSync(join(set.folder, 'kept', 'run'), { recursive: true })
    writeFileSync(join(set.folder, 'kept', 'run', 'broker-a.pid'), `${process.pid}\n`)
    expect((await cluster('stop', set)).code).toBe(0)
    expect((await cluster('status', set)).out).toMatch(/broker-a .* down/)
  }, 180_000)

  test.each([
    ['no folder', [], 'Usage: cluster start|stop|status CONF_DIR'],
    ['a folder that is not there', ['status', 'nowhere'], 'There is no folder'],
    ['a word it does not know', ['begin', 'set'], 'Usage: cluster'],
  ])('that is given %s says so', async (_what, args, sentence) => {
    const { code, errors } = await run('cluster', args, temporaryFolder())
    expect(code).toBe(1)
    expect(errors).toContain(sentence)
  })

  test('refuses a set in which two brokers share a port', async () => {
    const set = await pair()
    const path = join(set.folder, 'set', 'broker-a-s.properties')
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replace(/listenPort=\d+/, `listenPort=${set.masterPort}`))
    const { code, errors } = await cluster('start', set)
    expect(code).toBe(1)
    expect(errors).toMatch(/listenPort is that of .*\.properties, each broker needs its own/)
  })
})

describe('the sets that come with the suite', () => {
  const sets = [
    ['2m-2s-async', ['broker-a-s', 'broker-a', 'broker-b-s', 'broker-b']],
    ['2m-2s-sync', ['broker-a-s', 'broker-a', 'broker-b-s', 'broker-b']],
    ['2m-noslave', ['broker-a', 'broker-b', 'broker-trace']],
  ] as const

  test.each(sets)('%s has the files that Apache has', (name, files) => {
    const found = readdirSync(join(root, 'conf', name)).sort()
    expect(found).toEqual(files.map((file) => `${file}.properties`).sort())
  })

  test.each(sets)(
    '%s can be read, and its brokers need different ports and folders',
    async (name) => {
      const { code, errors, out } = await run('cluster', ['status', join(root, 'conf', name)], root)
      expect(errors).toBe('')
      expect([0, 1]).toContain(code)
      expect(out).toMatch(/broker-a +\w+_MASTER +0 +127\.0\.0\.1:10911/)
    },
  )
})
