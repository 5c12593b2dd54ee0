/**
 * Finds the servers that were started from this folder and asks them to end (SIGTERM). The lines are
 * those of Apache's mqshutdown, for scripts look for them. A process counts only when it is Node
 * running the very file beside this one: nothing else is ever sent a signal.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What can be stopped, and the program in this folder that runs it. */
const programs = new Map([
  ['broker', 'mqbroker'],
  ['namesrv', 'mqnamesrv'],
  ['rockhopper', 'rockhopper'],
])

/**
 * A process as its command line shows it.
 * @typedef {{ pid: number, args: string[], directory: string | undefined }} Running
 */

/**
 * Stops all servers of a kind; the result is the exit code.
 * @param {readonly string[]} args
 */
export async function shutDown(args) {
  const program = programs.get(args[0] ?? '')
  if (program === undefined) {
    process.stdout.write(`Usage: mqshutdown ${[...programs.keys()].join(' | ')}\n`)
    return 1
  }
  const found = runningProcesses().filter((running) => runs(running, program))
  if (found.length === 0) {
    process.stdout.write(`No ${program} running.\n`)
    return 1
  }
  return found.map(({ pid }) => askToEnd(program, pid)).every(Boolean) ? 0 : 1
}

/**
 * @param {string} program
 * @param {number} pid
 */
function askToEnd(program, pid) {
  process.stdout.write(`The ${program}(${pid}) is running...\n`)
  try {
    process.kill(pid, 'SIGTERM')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(
      `The ${program}(${pid}) could not be sent SIGTERM (${reason}): ` +
        'run mqshutdown as the user who started it.\n',
    )
    return false
  }
  process.stdout.write(`Send shutdown request to ${program}(${pid}) OK\n`)
  return true
}

/**
 * Whether a process is Node running `program` of this folder.
 * @param {Running} running
 * @param {string} program
 */
function runs({ pid, args, directory }, program) {
  const [command = '', ...rest] = args
  if (pid === process.pid || !/^node(js)?(\.exe)?$/.test(basename(command))) return false
  const script = rest.find((arg) => !arg.startsWith('-'))
  if (script === undefined || basename(script) !== program) return false
  if (directory === undefined && !isAbsolute(script)) return true
  const path = resolve(directory ?? '', script)
  const ours = realpathSync(fileURLToPath(new URL(program, import.meta.url)))
  return existsSync(path) && realpathSync(path) === ours
}

/** @returns {Running[]} */
function runningProcesses() {
  return existsSync('/proc/self/cmdline') ? processesOfProc() : processesOfPs()
}

/** @returns {Running[]} */
function processesOfProc() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const args = readFileSync(join('/proc', name, 'cmdline'), 'utf8').split('\0')
        return [{ pid: Number(name), args, directory: readlinkSync(join('/proc', name, 'cwd')) }]
      } catch {
        // Ended meanwhile, or somebody else's.
        return []
      }
    })
}

/** Where there is no /proc the folder of a process is unknown. @returns {Running[]} */
function processesOfPs() {
  const lines = execFileSync('ps', ['-axo', 'pid=,command='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const [pid, ...args] = line.trim().split(/\s+/)
    return pid === undefined || args.length === 0
      ? []
      : [{ pid: Number(pid), args, directory: undefined }]
  })
}
