/** What a line of the real log looks like, and that none is lost. */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Logger, pinoLogger } from '@rockhopper/host'
import { afterEach, beforeEach, expect, test } from 'vitest'

let folder = ''
let path = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rockhopper-logger-'))
  path = join(folder, 'logs/broker.log')
})

afterEach(() => {
  rmSync(folder, { recursive: true })
})

function lines(): Record<string, unknown>[] {
  const text = readFileSync(path, 'utf8').trim()
  return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line))
}

function sayAll(logger: Logger): void {
  logger.error('An error.')
  logger.warn('A warning.')
  logger.info('A notice.')
  logger.debug('A detail.')
}

test('a line is in the file when the call returns, with sentence, level, time and fields', () => {
  pinoLogger({ destination: path }).info('The broker is up.', { port: 10_911 })
  const [line] = lines()
  expect(line).toMatchObject({ level: 'info', msg: 'The broker is up.', port: 10_911 })
  expect(String(line?.['time'])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

test('lines below the level are not written', () => {
  sayAll(pinoLogger({ destination: path }))
  expect(lines().map((line) => line['level'])).toEqual(['error', 'warn', 'info'])
  sayAll(pinoLogger({ destination: path, level: 'silent' }))
  expect(lines()).toHaveLength(3)
  sayAll(pinoLogger({ destination: path, level: 'debug' }))
  expect(lines().at(-1)?.['msg']).toBe('A detail.')
})

test('a child adds its fields to those of its parent', () => {
  const parent = pinoLogger({ destination: path, fields: { broker: 'broker-a' } })
  parent.child({ topic: 'orders' }).warn('The topic is full.', { queueId: 3 })
  expect(lines()[0]).toMatchObject({ broker: 'broker-a', topic: 'orders', queueId: 3 })
})

test('an error in a field is told with its message, its stack and its cause', () => {
  const error = new Error('cannot write', { cause: new Error('the device fails') })
  pinoLogger({ destination: path }).error('The store stopped.', { error })
  const told = lines()[0]?.['error'] as Record<string, unknown>
  expect(told['message']).toBe('cannot write')
  expect(told['stack']).toContain('pino-logger.test.ts')
  expect(told['cause']).toMatchObject({ message: 'the device fails' })
})

const linux = process.platform === 'linux'

test.skipIf(!linux)('a log that cannot be written does not stop the process', () => {
  const logger = pinoLogger({ destination: '/dev/full' })
  for (let i = 0; i < 3; i += 1) logger.error('Nobody can read this.')
})

test.skipIf(!linux)('lines that were lost are counted in the next one that gets through', () => {
  const pipe = join(folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  // Open for both ways, so that neither side waits for the other.
  const descriptor = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  const logger = pinoLogger({ destination: descriptor })
  const lineBytes = 4000
  for (let i = 0; i < 100; i += 1) logger.info('x'.repeat(lineBytes))
  const drained = Buffer.alloc(1 << 20)
  readSync(descriptor, drained)
  logger.info('The reader is back.')
  const text = drained.toString('utf8', 0, readSync(descriptor, drained))
  closeSync(descriptor)
  const [loss, back] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(loss).toMatchObject({ level: 'warn', code: 'EAGAIN' })
  expect(loss.lostLines).toBeGreaterThan(50)
  expect(back).toMatchObject({ msg: 'The reader is back.' })
})
