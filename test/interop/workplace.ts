/**
 * Where the interop tests keep things: what was fetched and compiled (kept between runs), and one
 * directory per run for everything the servers and clients write (removed when the run ends, unless
 * INTEROP_KEEP=1).
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryDir = fileURLToPath(new URL('../..', import.meta.url))
export const javaSourcesDir = fileURLToPath(new URL('./java', import.meta.url))
export const cacheDir = join(repositoryDir, '.cache', 'interop')

/** Makes the directory of this run; leftovers of runs whose process is gone are removed. */
export function openRunDir(): string {
  mkdirSync(cacheDir, { recursive: true })
  for (const name of readdirSync(cacheDir)) {
    const pid = /^run-(\d+)$/.exec(name)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) closeRunDir(join(cacheDir, name))
  }
  const runDir = join(cacheDir, `run-${process.pid}`)
  mkdirSync(runDir, { recursive: true })
  return runDir
}

export function closeRunDir(runDir: string): void {
  if (process.env['INTEROP_KEEP'] === '1') return
  rmSync(runDir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
}

/** A new empty directory inside the run's directory. */
export function makeDir(runDir: string, name: string): string {
  return mkdtempSync(join(runDir, `${name}-`))
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
