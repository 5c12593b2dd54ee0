/**
 * One server process of a cluster on this machine: started apart from this one, found again by its
 * pid file, and asked to end. A process counts only when it is Node running the program with the very
 * configuration file: nothing else is ever sent a signal. Owns the pid files.
 */
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** @typedef {import('./cluster-set.mjs').Server} Server */

/** Lines of a log that are shown when its process has ended at once. */
const SHOWN_LINES = 12

/**
 * The pid of a server that runs; undefined when it does not.
 * @param {Server} server
 */
export function pidOf({ configFile, pidFile, program }) {
  const pid = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8').trim()) : Number.NaN
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  const line = commandLineOf(pid)
  return line.includes(program) && line.includes(configFile) ? pid : undefined
}

/**
 * Starts a server that outlives this process; returns its pid.
 * @param {Server} server
 */
export function launch({ configFile, logFile, pidFile, program }) {
  const script = fileURLToPath(new URL(program, import.meta.url))
  const log = openSync(logFile, 'a')
  try {
    const child = spawn(process.execPath, [script, '-c', configFile], {
      detached: true,
      env: { ...process.env, NAMESRV_ADDR: '' },
      stdio: ['ignore', log, log],
    })
    child.unref()
    if (child.pid === undefined) throw new Error(`${program} could not be started.`)
    writeFileSync(pidFile, `${child.pid}\n`)
    return child.pid
  } finally {
    closeSync(log)
  }
}

/**
 * Asks a server to end. Whether it runs still is asked with `pidOf`.
 * @param {Server} server
 */
export function terminate(server) {
  const pid = pidOf(server)
  if (pid === undefined) return
  try {
    process.kill(pid, 'SIGTERM')
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error
  }
}

/** @param {Server} server */
export function forget({ pidFile }) {
  rmSync(pidFile, { force: true })
}

/**
 * The end of what a server wrote.
 * @param {Server} server
 */
export function lastWords({ logFile }) {
  if (!existsSync(logFile)) return ''
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n')
  return lines.slice(-SHOWN_LINES).join('\n')
}

/**
 * Empty when there is no such process, or it has ended and waits for its parent.
 * @param {number} pid
 */
function commandLineOf(pid) {
  try {
    if (existsSync('/proc/self/cmdline')) {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    }
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' })
  } catch {
    return ''
  }
}
