/**
 * Processes that play seeds side by side, each one seed at a time. Owns the processes: one that dies
 * with a seed in its hands is told of as what that seed came to, and another one takes its place.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Where so many processes die, more would die as well. */
const MOST_DEATHS = 20
const WORKER = fileURLToPath(new URL('./sim-worker.mjs', import.meta.url))

/**
 * @typedef {import('./sim-kinds.mjs').Wish} Wish
 * @typedef {keyof typeof import('./sim-kinds.mjs').KINDS} KindName
 * @typedef {import('./sim-worker.mjs').Played} Played
 * @typedef {import('node:child_process').ChildProcess} ChildProcess
 */

/**
 * Plays `count` seeds from that of the wish on, `wish.jobs` at a time, and tells what each came to, in
 * the order of the seeds. When the signal aborts, or too many processes have died, those under way are
 * finished and no more begun.
 * @param {{ kind: KindName, wish: Wish, count: number, signal: AbortSignal }} work
 * @param {(played: Played) => void} tell
 */
export async function playSeeds({ kind, wish, count, signal }, tell) {
  let begun = 0
  let deaths = 0
  const nextSeed = () => {
    const isOver = signal.aborted || begun === count || deaths >= MOST_DEATHS
    return isOver ? undefined : wish.seed + begun++
  }
  const inOrder = orderly(wish.seed, (played) => {
    if (played.died === true) deaths += 1
    tell(played)
  })
  const lanes = Array.from({ length: Math.min(wish.jobs, count) }, () =>
    playLane(nextSeed, kind, wish, inOrder),
  )
  await Promise.all(lanes)
}

/**
 * @param {() => number | undefined} nextSeed
 * @param {KindName} kind
 * @param {Wish} wish
 * @param {(played: Played) => void} tell
 */
async function playLane(nextSeed, kind, wish, tell) {
  /** @type {ChildProcess | undefined} */
  let worker
  for (let seed = nextSeed(); seed !== undefined; seed = nextSeed()) {
    if (worker === undefined || hasEnded(worker)) worker = fork(WORKER)
    tell(await playIn(worker, { kind, wish, seed }))
  }
  if (worker?.connected === true) worker.disconnect()
}

/**
 * @param {ChildProcess} worker
 * @param {import('./sim-worker.mjs').Task} task
 * @returns {Promise<Played>}
 */
function playIn(worker, task) {
  return new Promise((resolve) => {
    const { kind, seed } = task
    const died = (/** @type {number | null} */ code, /** @type {string | null} */ signal) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`
      const story = `seed ${seed}: the process that played it (${kind}) ended ${how}`
      resolve({ seed, died: true, broken: true, story, sums: {}, cpuMs: 0 })
    }
    worker.once('exit', died)
    worker.once('message', (played) => {
      worker.off('exit', died)
      resolve(/** @type {Played} */ (played))
    })
    // One that has just died does not take it, and its end follows.
    worker.send(task, () => {})
  })
}

/** @param {ChildProcess} worker */
function hasEnded({ exitCode, signalCode }) {
  return exitCode !== null || signalCode !== null
}

/**
 * Keeps back what comes before its turn.
 * @param {number} firstSeed
 * @param {(played: Played) => void} tell
 */
function orderly(firstSeed, tell) {
  /** @type {Map<number, Played>} */
  const early = new Map()
  let next = firstSeed
  return (/** @type {Played} */ played) => {
    early.set(played.seed, played)
    for (let due = early.get(next); due !== undefined; due = early.get(next)) {
      early.delete(next)
      next += 1
      tell(due)
    }
  }
}
