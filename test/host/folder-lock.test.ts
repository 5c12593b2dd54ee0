/**
 * The lock on a folder against other processes, real ones: it must go with its holder, however that
 * ends, and respect the lock of Apache's broker.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DiskError, NodeDisk } from '@rockhopper/host'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const disk = new NodeDisk()
const children: ChildProcess[] = []
let compiled = ''
let folder = ''

/** A holder in another process needs the sources as JavaScript. */
beforeAll(() => {
  compiled = mkdtempSync(join(tmpdir(), 'rockhopper-host-'))
  const flags = ['--composite', 'false', '--incremental', 'false', '--declaration', 'false']
  const project = join(root, 'packages/host')
  const output = ['--declarationMap', 'false', '--outDir', compiled]
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', project, ...flags, ...output])
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}')
  return () => rmSync(compiled, { recursive: true })
})

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rockhopper-lock-'))
})

afterEach(() => {
  for (const child of children.splice(0)) {
    child.stdin?.end()
    child.kill('SIGKILL')
  }
  rmSync(folder, { recursive: true })
})

/** Starts a program and waits for its first output. */
async function start(command: string, ...parameters: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, parameters, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout, 'data')
  return child
}

function startHolder(): Promise<ChildProcess> {
  const program = `
    import { NodeDisk } from '${join(compiled, 'node-disk.js')}'
    new NodeDisk().lock('${folder}')
    console.log('held')
    setInterval(() => {}, 1000)`
  return start(process.execPath, '--input-type=module', '--eval', program)
}

function refusal(): DiskError {
  try {
    disk.lock(folder).release()
  } catch (error) {
    if (error instanceof DiskError) return error
    throw error
  }
  throw new Error('the lock was granted')
}

test('a folder has one holder in this process, and can be had again after release', () => {
  const held = disk.lock(folder)
  expect(refusal().code).toBe('EBUSY')
  expect(refusal().message).toContain(`"${folder}" is in use by this very process`)
  held.release()
  held.release()
  disk.lock(folder).release()
})

test('another process is refused and told who holds the folder, until it is killed', async () => {
  const holder = await startHolder()
  expect(refusal().message).toContain(`is in use by process ${holder.pid} (`)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  disk.lock(folder).release()
})

test('where there is no program flock, the folder still has one holder', async () => {
  const path = process.env['PATH']
  process.env['PATH'] = ''
  try {
    const holder = await startHolder()
    expect(refusal().message).toContain(`is in use by process ${holder.pid} (`)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    disk.lock(folder).release()
  } finally {
    process.env['PATH'] = path
  }
})

test('a lock file that a dead broker left behind does not matter, and keeps its text', () => {
  writeFileSync(join(folder, 'lock'), 'lock')
  disk.lock(folder).release()
  expect(readFileSync(join(folder, 'lock'), 'latin1')).toBe('lock')
})

test('the lock file has the text that the broker of Apache writes', () => {
  const held = disk.lock(folder)
  expect(readFileSync(join(folder, 'lock'), 'latin1')).toBe('lock')
  held.release()
})

test('two folders are locked apart', () => {
  const other = mkdtempSync(join(tmpdir(), 'rockhopper-lock-'))
  const both = [disk.lock(folder), disk.lock(other)]
  for (const held of both) held.release()
  rmSync(other, { recursive: true })
})

test('a folder that does not exist cannot be locked', () => {
  const absent = join(folder, 'absent')
  expect(() => disk.lock(absent)).toThrow('it does not exist (ENOENT)')
})

const linux = process.platform === 'linux'
const python = linux && spawnSync('python3', ['-c', 'import fcntl']).status === 0
const flock = linux && spawnSync('flock', ['--version']).status === 0

test.skipIf(!python)('a folder that a broker of Apache holds is refused', async () => {
  const path = join(folder, 'lock')
  // What java.nio.channels.FileChannel.tryLock(0, 1, false) does on Linux.
  const program = `
import fcntl, time
file = open('${path}', 'a+')
fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
print('held', flush=True)
time.sleep(60)`
  const holder = await start('python3', '-c', program)
  expect(refusal().message).toContain(`process ${holder.pid} (`)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  disk.lock(folder).release()
})

test.skipIf(!flock)('a holder in another container is seen through the file', async () => {
  const path = join(folder, 'lock')
  const holder = await start('flock', '-x', path, 'sh', '-c', 'echo held; exec cat')
  expect(refusal().message).toContain(`process ${holder.pid} (flock`)
})
