/** mqnamesrv and mqbroker as processes: flags, configuration files, boot lines, signals. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../processes/port.ts'
import { build, isAlive, Program, root, run, start, temporaryFolder } from './program.ts'

beforeAll(build)

function configFile(folder: string, text: string): string {
  const path = join(folder, 'server.conf')
  writeFileSync(path, text)
  return path
}

describe.each(['mqnamesrv', 'mqbroker'])('%s', (program) => {
  const folder = temporaryFolder()

  test('-p prints all settings, sorted, and ends with 0', async () => {
    const { code, out } = await run(program, ['-p'], folder)
    expect(code).toBe(0)
    const keys = out
      .trimEnd()
      .split('\n')
      .map((line) => line.split('=')[0])
    expect(keys).toContain('listenPort')
    expect(keys).toEqual([...keys].sort())
  })

  test('-p shows what the file says', async () => {
    const file = configFile(folder, '# mine\nlistenPort = 12345\n')
    const { code, out } = await run(program, ['-p', '-c', file], folder)
    expect(code).toBe(0)
    expect(out).toContain('\nlistenPort=12345\n')
  })

  test('-h explains the flags and ends with 0', async () => {
    const { code, out } = await run(program, ['-h'], folder)
    expect(code).toBe(0)
    expect(out).toContain('-c, --configFile <file>')
  })

  test('a flag that does not exist is named, and nothing starts', async () => {
    const { code, out, errors } = await run(program, ['--lisenPort'], folder)
    expect(code).not.toBe(0)
    expect(out).toBe('')
    expect(errors).toContain("'--lisenPort'")
  })

  test('every wrong line of a file is named at once, an unknown key with the nearest one', async () => {
    const file = configFile(folder, 'listenPrt=1\nlistenPort=many\n')
    const { code, out, errors } = await run(program, ['-c', file], folder)
    expect(code).not.toBe(0)
    expect(out).not.toContain('boot success')
    expect(errors).toMatch(/line 1: .*"listenPrt".*did you mean "listenPort"\?/)
    expect(errors).toMatch(/line 2: listenPort must be a whole number/)
  })

  test('a file that is not there is named', async () => {
    const { code, errors } = await run(program, ['-c', 'nowhere.conf'], folder)
    expect(code).not.toBe(0)
    expect(errors).toContain('nowhere.conf')
    expect(errors).not.toContain('    at ')
  })

  test('a port that is taken is named in one sentence', async () => {
    const port = await freePort()
    const other = createServer().listen(port, '127.0.0.1')
    const file = configFile(folder, `listenPort=${port}\n`)
    const { code, out, errors } = await run(program, ['-c', file], folder)
    other.close()
    expect(code).not.toBe(0)
    expect(out).not.toContain('boot success')
    expect(errors).toContain(String(port))
    expect(errors).not.toContain('    at ')
  })

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'says that it is up, and ends with 0 on %s',
    async (signal) => {
      const port = await freePort()
      const server = start(program, ['-c', configFile(folder, `listenPort=${port}\n`)], folder)
      await server.says('boot success. serializeType=JSON')
      expect(server.out).toContain(`:${port}`)
      server.signal(signal)
      expect(await server.ended()).toMatchObject({
        code: 0,
        errors: expect.not.stringContaining('not clean'),
      })
    },
  )
})

test('a broker refuses a name server that is no address, in Apache’s words', async () => {
  const { code, errors } = await run('mqbroker', ['-n', 'here'], temporaryFolder())
  expect(code).not.toBe(0)
  expect(errors).toContain('The Name Server Address[here] illegal, please set it as follows')
})

describe('programs without a build', () => {
  const folder = temporaryFolder()
  cpSync(join(root, 'bin'), join(folder, 'bin'), { recursive: true })

  test('rockhopper, which newcomers start first, installs and builds by itself', async () => {
    // Nothing to install from lies here: that it tries is all that can be seen, and all that is done.
    const program = new Program(join(folder, 'bin', 'rockhopper'), [], folder)
    const { errors } = await program.ended()
    expect(errors).toContain('installing them with "npm ci"')
  })

  test.each(['mqnamesrv', 'mqbroker', 'mqadmin'])('%s says how to build', async (name) => {
    const program = new Program(join(folder, 'bin', name), [], folder)
    const { code, out, errors } = await program.ended()
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(errors).toContain('run "npm ci" and "npm run build"')
    expect(errors.trimEnd().split('\n')).toHaveLength(1)
  })
})

describe('mqshutdown', () => {
  const asleep = 'process.stdout.write("up"); setInterval(() => {}, 1000)'
  const folder = temporaryFolder()
  const elsewhere = temporaryFolder()
  cpSync(join(root, 'bin'), join(folder, 'bin'), { recursive: true })
  for (const place of [folder, elsewhere]) {
    mkdirSync(join(place, 'bin'), { recursive: true })
    writeFileSync(join(place, 'bin', 'package.json'), '{"type":"module"}')
    writeFileSync(join(place, 'bin', 'mqbroker'), asleep)
  }
  const shutDown = (...args: string[]): Promise<Awaited<ReturnType<Program['ended']>>> =>
    new Program(join(folder, 'bin', 'mqshutdown'), args, folder).ended()

  test('ends the brokers that were started from its folder, and nothing else', async () => {
    const script = join(folder, 'bin', 'mqbroker')
    const absolute = new Program(script, ['-c', 'x'], folder)
    const relative = new Program('bin/mqbroker', [], folder)
    const foreign = new Program(join(elsewhere, 'bin', 'mqbroker'), [], elsewhere)
    const reader = new Program('-e', [asleep, script], folder)
    for (const program of [absolute, relative, foreign, reader]) await program.says('up')

    const { code, out } = await shutDown('broker')
    expect(code).toBe(0)
    const lines = out.trimEnd().split('\n')
    expect(lines).toHaveLength(4)
    for (const { pid } of [absolute, relative]) {
      expect(out).toContain(
        `The mqbroker(${pid}) is running...\nSend shutdown request to mqbroker(${pid}) OK\n`,
      )
    }
    await Promise.all([absolute.ended(), relative.ended()])
    expect([foreign, reader].map(({ pid }) => isAlive(pid))).toEqual([true, true])
    for (const program of [foreign, reader]) program.signal('SIGKILL')
  })

  test('says that there is nothing to end, and ends with 1', async () => {
    expect(await shutDown('namesrv')).toMatchObject({ code: 1, out: 'No mqnamesrv running.\n' })
  })

  test('says what it can end when it is told nothing it knows', async () => {
    const { code, out } = await shutDown('everything')
    expect({ code, out }).toEqual({
      code: 1,
      out: 'Usage: mqshutdown broker | namesrv | rockhopper\n',
    })
  })
})
