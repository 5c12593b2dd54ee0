/**
 * Runs the parts of a bench of the store in processes of their own, each in its turn, so that a
 * part and its physical limit meet the same machine, and collects what they say.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const workerFile = fileURLToPath(new URL('./store-worker.mjs', import.meta.url))

export class Stage {
  /** Rows of the report, in the order they were made. */
  rows = []
  #options
  #report
  #started = 0

  /** `report` is told of each row at once. */
  constructor(options, report) {
    this.#options = options
    this.#report = report
  }

  get options() {
    return this.#options
  }

  /** Starts a part of a file of the bench; resolves when it is ready to be called. */
  async start(file, part, settings = {}) {
    const all = { folder: this.#options.folder, ...settings }
    const { profiles } = this.#options
    const execArgv =
      profiles === undefined ? [] : profiling(profiles, part, settings, ++this.#started)
    const child = fork(workerFile, [JSON.stringify({ file, part, settings: all })], { execArgv })
    const worker = new Worker(child, part)
    await worker.answer()
    return worker
  }

  /** Adds a row: what was measured beside its limit. */
  add(row) {
    this.rows.push(row)
    this.#report(row)
  }
}

/** A profile is named after the part, when it was started and what it was told. */
function profiling(folder, part, { storeFolder, logFolder, ...told }, number) {
  const name = [String(number).padStart(2, '0'), part, ...Object.values(told)].join('-')
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${name}.cpuprofile`]
}

class Worker {
  /** The most memory that the process had so far, in MiB. */
  memoryPeakMib = Number.NaN
  #child
  #part

  constructor(child, part) {
    this.#child = child
    this.#part = part
  }

  async call(name, ...args) {
    this.#child.send({ name, args })
    return this.answer()
  }

  async answer() {
    const gone = new AbortController()
    const ended = once(this.#child, 'exit', { signal: gone.signal })
    ended.catch(() => {})
    const message = once(this.#child, 'message', { signal: gone.signal })
    message.catch(() => {})
    const first = await Promise.race([message, ended.then(() => undefined)])
    gone.abort()
    if (first === undefined) throw new Error(`The process of "${this.#part}" ended.`)
    const [{ error, result, memoryPeakMib }] = first
    if (error !== undefined) throw new Error(`"${this.#part}" failed: ${error}`)
    this.memoryPeakMib = memoryPeakMib
    return result
  }

  /** Closes the part in order and ends its process. */
  async close() {
    const result = await this.call('close')
    await this.#end(() => this.#child.disconnect())
    return result
  }

  /** Ends the process as a crash would. */
  kill() {
    return this.#end(() => this.#child.kill('SIGKILL'))
  }

  async #end(how) {
    const ended = once(this.#child, 'exit')
    how()
    await ended
  }
}

/** So much of each call is not counted: the optimizing compiler takes a million messages. */
const WARM_ROUNDS = 3

/** Some rounds to get warm, then so many of each of the calls in turn; the rounds of each call. */
export async function interleave(rounds, calls) {
  for (const call of calls) for (let round = 0; round < WARM_ROUNDS; round++) await call()
  return inTurn(rounds, calls)
}

/** The same of calls that are warm. */
export async function inTurn(rounds, calls) {
  const results = calls.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, call] of calls.entries()) results[i].push(await call())
  }
  return results
}

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** Medians of rates, and the median of their ratio round by round: a noisy round hits both. */
export function compare(rounds, limitRounds) {
  const figures = {
    value: median(rounds.map((each) => each.perSecond)),
    limit: median(limitRounds.map((each) => each.perSecond)),
    ratio: median(rounds.map((each, i) => each.perSecond / limitRounds[i].perSecond)),
  }
  if (rounds[0].cpuMicros === undefined) return figures
  return {
    ...figures,
    cpuMicros: median(rounds.map((each) => each.cpuMicros)),
    kernelShare: median(rounds.map((each) => each.kernelShare)),
    cpuRatio: median(rounds.map((each, i) => limitRounds[i].cpuMicros / each.cpuMicros)),
  }
}
