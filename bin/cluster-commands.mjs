/**
 * `cluster start`, `stop` and `status`: each can be repeated without harm. A start that is interrupted
 * or fails stops what it has started itself, and leaves alone what ran before.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isBuilt } from './built.mjs'
import { forget, lastWords, launch, pidOf, terminate } from './cluster-process.mjs'
import { questions } from './cluster-questions.mjs'
import { prepareFolders, readSet, SetError } from './cluster-set.mjs'
import { prepare } from './prepare.mjs'

/**
 * @typedef {import('./cluster-set.mjs').Server} Server
 * @typedef {import('./cluster-set.mjs').ClusterSet} ClusterSet
 * @typedef {Awaited<ReturnType<typeof questions>>} Questions
 */

const LOOK_MS = 100
/** A store that was killed while it had much in it takes a while to start. */
const START_LIMIT_MS = 120_000
const STOP_LIMIT_MS = 60_000
const INTERRUPTED = 130

const USAGE = `Usage: cluster start|stop|status CONF_DIR [--data DIR]

Runs a name server and the brokers of a folder of configurations on this machine, such as
conf/2m-2s-sync: a file for each broker. What they keep, their logs and their pid files are in
DIR, or in data/NAME_OF_THE_FOLDER below the current folder.
`

/**
 * Runs one command; the result is the exit code.
 * @param {readonly string[]} args
 */
export async function runCluster(args) {
  const wish = wishOf(args)
  if (wish === undefined) {
    process.stderr.write(USAGE)
    return args.includes('--help') || args.includes('-h') ? 0 : 1
  }
  if (!isBuilt('broker') || !isBuilt('namesrv')) prepare()
  try {
    const set = await readSet(wish.folder, wish.data)
    return await wish.command(set)
  } catch (error) {
    const isOurs =
      error instanceof SetError || (error instanceof Error && error.name === 'ConfigError')
    if (!isOurs) throw error
    process.stderr.write(`${error.message}\n`)
    return 1
  }
}

/**
 * @param {readonly string[]} args
 * @returns {{ command: (set: ClusterSet) => Promise<number>, folder: string, data: string | undefined } | undefined}
 */
function wishOf(args) {
  const rest = [...args]
  const at = rest.indexOf('--data')
  const [, data] = at === -1 ? [] : rest.splice(at, 2)
  const [word = '', folder, ...more] = rest
  const command = new Map([
    ['start', start],
    ['stop', stop],
    ['status', status],
  ]).get(word)
  if (command === undefined || folder === undefined || more.length > 0) return undefined
  if (folder.startsWith('-') || (at !== -1 && data === undefined)) return undefined
  return { command, folder, data }
}

/** @param {ClusterSet} set */
async function start(set) {
  prepareFolders(set)
  /** @type {Server[]} */
  const started = []
  let isInterrupted = false
  const interrupt = () => {
    isInterrupted = true
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, interrupt)
  const ask = await questions()
  try {
    for (const server of set.servers) {
      if (isInterrupted) break
      if (await isForeign(server, set, ask)) {
        say(`${server.name}: a ${server.kind} answers at ${server.address} already and is used.`)
        continue
      }
      const problem = await startOne(server, set, ask, started, () => isInterrupted)
      if (problem === undefined) continue
      if (!isInterrupted) process.stderr.write(`${problem}\n`)
      await stopAll(started.toReversed())
      return isInterrupted ? INTERRUPTED : 1
    }
    if (isInterrupted) {
      await stopAll(started.toReversed())
      return INTERRUPTED
    }
    say(
      `The cluster ${set.name} is up: its name server is ${set.nameServer}, its data in ${set.data}.`,
    )
    return 0
  } finally {
    ask.close()
  }
}

/**
 * Whether the name server is somebody else's, who runs it already.
 * @param {Server} server
 * @param {ClusterSet} set
 * @param {Questions} ask
 */
async function isForeign(server, { nameServer }, ask) {
  if (server.kind !== 'name server' || pidOf(server) !== undefined) return false
  return (await ask.registered(nameServer)) !== undefined
}

/**
 * Starts a server unless it runs, and waits until it answers; the result says why it does not.
 * @param {Server} server
 * @param {ClusterSet} set
 * @param {Questions} ask
 * @param {Server[]} started
 * @param {() => boolean} isOver
 */
async function startOne(server, set, ask, started, isOver) {
  const known = pidOf(server)
  if (known === undefined) {
    launch(server)
    started.push(server)
  }
  const untilMs = performance.now() + START_LIMIT_MS
  while (!(await isUp(server, set, ask))) {
    if (isOver()) return 'interrupted'
    if (pidOf(server) === undefined) {
      forget(server)
      return `${server.name} ended at once. The end of ${server.logFile}:\n${lastWords(server)}`
    }
    if (performance.now() > untilMs) {
      return `${server.name} does not answer after ${START_LIMIT_MS / 1_000} s: see ${server.logFile}`
    }
    await sleep(LOOK_MS)
  }
  say(`${server.name}: ${known === undefined ? 'started' : 'runs already'}, ${described(server)}.`)
  return undefined
}

/**
 * @param {Server} server
 * @param {ClusterSet} set
 * @param {Questions} ask
 */
async function isUp(server, { nameServer }, ask) {
  const brokers = await ask.registered(nameServer)
  if (server.kind === 'name server') return brokers !== undefined
  if (brokers?.get(`${server.brokerName} ${server.brokerId}`) !== server.address) return false
  return (await ask.figures(server.address)) !== undefined
}

/** @param {Server} server */
function described(server) {
  const { address, brokerId, brokerName, kind, role } = server
  const who = kind === 'name server' ? kind : `${role} of ${brokerName} with id ${brokerId}`
  return `${who}, at ${address}, pid ${pidOf(server)}`
}

/** @param {ClusterSet} set */
async function stop({ name, servers }) {
  // Masters end before their slaves, which so get everything, and all before the name server.
  const brokers = servers.filter(({ kind }) => kind === 'broker')
  const running = [...brokers, ...servers.filter(({ kind }) => kind !== 'broker')]
  const code = await stopAll(running)
  if (code === 0) say(`The cluster ${name} is stopped.`)
  return code
}

/** @param {readonly Server[]} servers */
async function stopAll(servers) {
  let code = 0
  for (const server of servers) {
    if (pidOf(server) === undefined) {
      forget(server)
      continue
    }
    terminate(server)
    const untilMs = performance.now() + STOP_LIMIT_MS
    while (pidOf(server) !== undefined && performance.now() < untilMs) await sleep(LOOK_MS)
    const pid = pidOf(server)
    if (pid === undefined) {
      forget(server)
      say(`${server.name}: stopped.`)
    } else {
      code = 1
      process.stderr.write(
        `${server.name} (pid ${pid}) has not ended after ${STOP_LIMIT_MS / 1_000} s: see ` +
          `${server.logFile}, and end it with kill -9 ${pid} if it must be.\n`,
      )
    }
  }
  return code
}

/** @param {ClusterSet} set */
async function status(set) {
  const ask = await questions()
  try {
    const registered = await ask.registered(set.nameServer)
    const rows = await Promise.all(
      set.servers.map(async (server) => ({
        server,
        pid: pidOf(server),
        figures: server.kind === 'broker' ? await ask.figures(server.address) : undefined,
      })),
    )
    const masters = new Map(
      rows
        .filter(({ figures, server }) => figures !== undefined && server.brokerId === 0)
        .map(({ figures, server }) => [server.brokerName, figures?.logEnd ?? 0]),
    )
    const cells = rows.map(({ figures, pid, server }) => {
      const isKnown = registered?.has(`${server.brokerName} ${server.brokerId}`) === true
      const answers = server.kind === 'broker' ? figures !== undefined : registered !== undefined
      const state = stateOf(pid, answers, server.kind === 'name server' || isKnown)
      const logEnd = figures === undefined ? '' : String(figures.logEnd)
      const masterEnd = masters.get(server.brokerName)
      const isLagging = server.brokerId > 0 && figures !== undefined && masterEnd !== undefined
      const lag = isLagging ? String(Math.max(0, masterEnd - figures.logEnd)) : ''
      const id = server.kind === 'broker' ? String(server.brokerId) : ''
      return [server.name, server.role, id, server.address, String(pid ?? ''), state, logEnd, lag]
    })
    print(['#Server', '#Role', '#BID', '#Addr', '#Pid', '#State', '#LogEnd', '#LagBytes'], cells)
    return cells.every(([, , , , , state]) => state === 'up') ? 0 : 1
  } finally {
    ask.close()
  }
}

/**
 * @param {number | undefined} pid
 * @param {boolean} answers
 * @param {boolean} isKnown
 */
function stateOf(pid, answers, isKnown) {
  if (answers) return isKnown ? 'up' : 'up, in no route'
  return pid === undefined ? 'down' : 'starting'
}

/**
 * @param {string[]} titles
 * @param {string[][]} rows
 */
function print(titles, rows) {
  const all = [titles, ...rows]
  const widths = titles.map((_, i) => Math.max(...all.map((row) => (row[i] ?? '').length)))
  for (const row of all)
    say(
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}

/** @param {string} sentence */
function say(sentence) {
  process.stdout.write(`${sentence}\n`)
}
