/**
 * Simulations of many seeds as they are run: side by side in processes, told in the order of their
 * seeds, whatever becomes of one of the processes.
 */
import { spawnSync } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { build, run, start, temporaryFolder } from './program.ts'

/** For machines that are busy with other things. */
const TIMEOUT_MS = 600_000
const FOREVER = '1000000'

beforeAll(build, TIMEOUT_MS)

test('seeds are told in their order, and alike in however many processes they are played', {
  timeout: TIMEOUT_MS,
}, async () => {
  const seeds = ['--store', '--seeds', '6', '--seed', '40', '--story']
  const stories = async (jobs: string): Promise<string[]> => {
    const { code, out } = await run('sim', [...seeds, '--jobs', jobs], temporaryFolder())
    expect(code).toBe(0)
    return out.split('\n').filter((line) => !line.startsWith('sim: '))
  }
  const alone = await stories('1')
  const told = alone
    .filter((line) => line.startsWith('store seed'))
    .map((line) => line.slice(11, 13))
  expect(told).toEqual(['40', '41', '42', '43', '44', '45'])
  expect(await stories('3')).toEqual(alone)
})

test('a seed whose process dies is told of, the others are played, and a signal ends the run', {
  timeout: TIMEOUT_MS,
}, async () => {
  const args = ['--store', '--seeds', FOREVER, '--story', '--jobs', '1']
  const program = start('sim', args, temporaryFolder())
  await program.says('store seed 1:')
  for (const pid of childrenOf(program.pid)) process.kill(pid, 'SIGKILL')
  await program.says('the process that played it (store) ended by SIGKILL')
  const [, dead = ''] = /^seed (\d+): the process/m.exec(program.out) ?? []
  await program.says(`store seed ${Number(dead) + 1}:`)
  program.signal('SIGINT')
  const { code, out } = await program.ended()
  expect(code).toBe(1)
  expect(out).toMatch(/^sim: \d+ lives of a store from seed 1, 1 broke a promise; /m)
})

test('two kinds at a time are refused', { timeout: TIMEOUT_MS }, async () => {
  const { code, errors } = await run('sim', ['--group', '--timers'], temporaryFolder())
  expect([code, errors]).toEqual([
    1,
    "error: option '--group' cannot be used with option '--timers'\n",
  ])
})

function childrenOf(parent: number): number[] {
  const { stdout } = spawnSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' })
  const pairs = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([pid, ppid]) => (ppid === parent && pid !== undefined ? [pid] : []))
}
