/**
 * Plays the simulations of many seeds, one after the other, and tells the story of those that broke
 * a promise. A seed repeats its run exactly, whatever was run before it. With `--store` they are
 * lives of a store alone, with `--flips` single bits of a stopped store are flipped instead, with
 * `--group` members of consumer groups come and go over two brokers, with `--timers` messages wait for
 * days, with `--replicas` two masters and their slaves are under faults.
 */
import { built } from './built.mjs'

const DEFAULT_SEEDS = 100
/** Each store that was stopped has so many of its bits flipped before another one is made. */
const FLIPS_PER_STORE = 500
const FINDINGS_SHOWN = 20

/**
 * @typedef {{ seeds: string, seed: string, story?: boolean, faults: boolean, store?: boolean,
 *   group?: boolean, timers?: boolean, replicas?: boolean, flips?: string }} Flags
 * @typedef {import('@rockhopper/sim').SimulationReport} Report
 * @typedef {import('@rockhopper/sim').StoreReport} StoreReport
 * @typedef {import('@rockhopper/sim').StormReport} StormReport
 * @typedef {import('@rockhopper/sim').TimerReport} TimerReport
 * @typedef {import('@rockhopper/sim').ReplicaReport} ReplicaReport
 * @typedef {import('@rockhopper/sim').Finding} Finding
 */

/**
 * Resolves to the exit code: 1 when a promise was broken.
 * @param {readonly string[]} args
 */
export async function runSimulations(args) {
  const sim = await built('sim')
  const flags = await readFlags(args)
  if (flags.flips !== undefined) return runFlips(sim, flags, Number(flags.flips))
  if (flags.group === true) return runGroups(sim, flags)
  if (flags.timers === true) return runTimers(sim, flags)
  if (flags.replicas === true) return runReplicas(sim, flags)
  return flags.store === true ? runStores(sim, flags) : runClusters(sim, flags)
}

/**
 * @param {typeof import('@rockhopper/sim')} sim
 * @param {Flags} flags
 */
async function runClusters({ simulate, storyOf }, { seeds, seed, story, faults }) {
  const strays = collectStrays()
  const interruption = interrupted()
  const startMs = performance.now()
  let failures = 0
  let events = 0
  let acknowledged = 0
  let played = 0
  for (; played < Number(seeds) && !interruption.aborted; played++) {
    /** @type {Report} */
    const report = await simulate(Number(seed) + played, { faults })
    const found = [...report.findings, ...strays.splice(0)]
    events += report.eventCount
    acknowledged += report.acknowledgedCount
    if (found.length > 0) failures++
    if (found.length > 0 || story) say(storyOf({ ...report, findings: found }))
  }
  const seconds = (performance.now() - startMs) / 1000
  say(
    `sim: ${played} seeds from ${seed}, ${failures} broke a promise; ` +
      `${acknowledged.toLocaleString('en')} messages acknowledged, ` +
      `${events.toLocaleString('en')} events in ${seconds.toFixed(1)} s ` +
      `(${Math.round(events / seconds).toLocaleString('en')} per second)`,
  )
  return failures === 0 ? 0 : 1
}

/**
 * @param {typeof import('@rockhopper/sim')} sim
 * @param {Flags} flags
 */
async function runStores({ simulateStore, storyOfStore }, { seeds, seed, story }) {
  const strays = collectStrays()
  const interruption = interrupted()
  const startMs = performance.now()
  const sums = { failures: 0, appended: 0, acknowledged: 0, opened: 0 }
  let played = 0
  for (; played < Number(seeds) && !interruption.aborted; played++) {
    /** @type {StoreReport} */
    const report = await simulateStore(Number(seed) + played)
    const found = [...report.findings, ...strays.splice(0)]
    sums.appended += report.appendedCount
    sums.acknowledged += report.acknowledgedCount
    sums.opened += report.openedCount
    if (found.length > 0) sums.failures++
    if (found.length > 0 || story) say(storyOfStore({ ...report, findings: found }))
  }
  const seconds = (performance.now() - startMs) / 1000
  say(
    `sim: ${played} lives of a store from seed ${seed}, ${sums.failures} broke a promise; ` +
      `${sums.appended.toLocaleString('en')} messages appended, ` +
      `${sums.acknowledged.toLocaleString('en')} acknowledged, ` +
      `${sums.opened.toLocaleString('en')} times opened in ${seconds.toFixed(1)} s ` +
      `(${((1000 * seconds) / Math.max(1, played)).toFixed(1)} ms per life)`,
  )
  return sums.failures === 0 ? 0 : 1
}

/**
 * @param {typeof import('@rockhopper/sim')} sim
 * @param {Flags} flags
 */
async function runGroups({ simulateStorm, storyOfStorm }, { seeds, seed, story }) {
  const strays = collectStrays()
  const interruption = interrupted()
  const startMs = performance.now()
  const sums = { failures: 0, acknowledged: 0, delivered: 0, repeats: 0, kills: 0, idleMs: 0 }
  let played = 0
  for (; played < Number(seeds) && !interruption.aborted; played++) {
    /** @type {StormReport} */
    const report = await simulateStorm(Number(seed) + played)
    const found = [...report.findings, ...strays.splice(0)]
    sums.acknowledged += report.acknowledgedCount
    sums.delivered += report.deliveredCount
    sums.repeats += report.repeatCount
    sums.kills += report.killCount
    sums.idleMs = Math.max(sums.idleMs, report.longestIdleMs)
    if (found.length > 0) sums.failures++
    if (found.length > 0 || story) say(storyOfStorm({ ...report, findings: found }))
  }
  const seconds = (performance.now() - startMs) / 1000
  say(
    `sim: ${played} storms over groups from seed ${seed}, ${sums.failures} broke a promise; ` +
      `${sums.acknowledged.toLocaleString('en')} messages acknowledged, ` +
      `${sums.delivered.toLocaleString('en')} delivered, ${sums.kills.toLocaleString('en')} kills, ` +
      `${sums.repeats.toLocaleString('en')} repeats, longest standstill ` +
      `${(sums.idleMs / 1000).toFixed(1)} s, in ${seconds.toFixed(1)} s`,
  )
  return sums.failures === 0 ? 0 : 1
}

/**
 * @param {typeof import('@rockhopper/sim')} sim
 * @param {Flags} flags
 */
async function runTimers({ simulateTimers, storyOfTimers }, { seeds, seed, story }) {
  const strays = collectStrays()
  const interruption = interrupted()
  const startMs = performance.now()
  const sums = { failures: 0, stored: 0, delivered: 0, recalled: 0, outages: 0, jumps: 0, days: 0 }
  let played = 0
  for (; played < Number(seeds) && !interruption.aborted; played++) {
    /** @type {TimerReport} */
    const report = await simulateTimers(Number(seed) + played)
    const found = [...report.findings, ...strays.splice(0)]
    sums.stored += report.storedCount
    sums.delivered += report.deliveredCount
    sums.recalled += report.recalledCount
    sums.outages += report.outageCount
    sums.jumps += report.jumpCount
    sums.days += report.durationMs / 86_400_000
    if (found.length > 0) sums.failures++
    if (found.length > 0 || story) say(storyOfTimers({ ...report, findings: found }))
  }
  const seconds = (performance.now() - startMs) / 1000
  say(
    `sim: ${played} lives of delayed messages from seed ${seed}, ${sums.failures} broke a promise; ` +
      `${sums.stored.toLocaleString('en')} stored, ${sums.recalled.toLocaleString('en')} called off, ` +
      `${sums.delivered.toLocaleString('en')} delivered, the broker away ` +
      `${sums.outages.toLocaleString('en')} times, clocks set ${sums.jumps.toLocaleString('en')} ` +
      `times in ${sums.days.toFixed(0)} days, in ${seconds.toFixed(1)} s`,
  )
  return sums.failures === 0 ? 0 : 1
}

/**
 * @param {typeof import('@rockhopper/sim')} sim
 * @param {Flags} flags
 */
async function runReplicas({ simulateReplicas, storyOfReplicas }, { seeds, seed, story, faults }) {
  const strays = collectStrays()
  const interruption = interrupted()
  const startMs = performance.now()
  const sums = { failures: 0, acknowledged: 0, delivered: 0, faults: 0, events: 0 }
  let played = 0
  for (; played < Number(seeds) && !interruption.aborted; played++) {
    /** @type {ReplicaReport} */
    const report = await simulateReplicas(Number(seed) + played, { faults })
    const found = [...report.findings, ...strays.splice(0)]
    sums.acknowledged += report.acknowledgedCount
    sums.delivered += report.deliveredCount
    sums.faults += report.faultCount
    sums.events += report.eventCount
    if (found.length > 0) sums.failures++
    if (found.length > 0 || story) say(storyOfReplicas({ ...report, findings: found }))
  }
  const seconds = (performance.now() - startMs) / 1000
  const cpuMs = process.cpuUsage().user / 1000
  say(
    `sim: ${played} runs of masters and slaves from seed ${seed}, ${sums.failures} broke a promise; ` +
      `${sums.acknowledged.toLocaleString('en')} messages acknowledged, ` +
      `${sums.delivered.toLocaleString('en')} delivered, ${sums.faults.toLocaleString('en')} faults, ` +
      `${sums.events.toLocaleString('en')} events in ${seconds.toFixed(1)} s ` +
      `(${(cpuMs / Math.max(1, played)).toFixed(0)} ms of processor time per run)`,
  )
  return sums.failures === 0 ? 0 : 1
}

/**
 * @param {typeof import('@rockhopper/sim')} sim
 * @param {Flags} flags
 * @param {number} wanted
 */
async function runFlips({ FLIP_ENDINGS, flipBits }, { seed }, wanted) {
  const strays = collectStrays()
  const interruption = interrupted()
  const startMs = performance.now()
  const sums = { flips: 0, harmless: 0, told: 0, findings: 0 }
  for (let store = 0; sums.flips < wanted && !interruption.aborted; store++) {
    const count = Math.min(FLIPS_PER_STORE, wanted - sums.flips)
    const ending = FLIP_ENDINGS[store % FLIP_ENDINGS.length] ?? 'close'
    const report = await flipBits(Number(seed) + store, count, ending)
    const found = [...report.findings, ...strays.splice(0)]
    for (const { rule, sentence } of found.slice(0, Math.max(0, FINDINGS_SHOWN - sums.findings))) {
      say(`store ${Number(seed) + store} (${ending}): broken: ${rule}: ${sentence}`)
    }
    sums.flips += report.flips
    sums.harmless += report.harmless
    sums.told += report.told
    sums.findings += found.length
  }
  const seconds = (performance.now() - startMs) / 1000
  say(
    `sim: ${sums.flips.toLocaleString('en')} bits flipped in stores from seed ${seed}, ` +
      `${sums.harmless.toLocaleString('en')} without effect, ` +
      `${sums.told.toLocaleString('en')} told of, ${sums.findings} broken promises ` +
      `in ${seconds.toFixed(1)} s`,
  )
  return sums.findings === 0 ? 0 : 1
}

/**
 * @param {readonly string[]} args
 * @returns {Promise<Flags>}
 */
async function readFlags(args) {
  const { Command, InvalidArgumentError } = await import('commander')
  const wholeNumber = (/** @type {string} */ text) => {
    if (/^\d{1,15}$/.test(text)) return text
    throw new InvalidArgumentError('Give a whole number.')
  }
  return new Command('sim')
    .description('Plays simulations of a cluster in which things go wrong, one per seed.')
    .option('--seeds <count>', 'how many seeds', wholeNumber, String(DEFAULT_SEEDS))
    .option('--seed <first>', 'the first seed', wholeNumber, '1')
    .option('--story', 'tell the story of every seed, not only of those that broke a promise')
    .option('--store', 'lives of a store alone instead of clusters')
    .option('--group', 'storms over consumer groups instead of clusters')
    .option('--timers', 'days of delayed messages instead of clusters')
    .option('--replicas', 'two masters and their slaves instead of clusters of one broker')
    .option('--flips <count>', 'flip so many single bits of stopped stores instead', wholeNumber)
    .option('--no-faults', 'let nothing go wrong')
    .allowExcessArguments(false)
    .parse([...args], { from: 'user' })
    .opts()
}

/** A rejection that nobody handles ends a real process: here it is a finding. */
function collectStrays() {
  /** @type {Finding[]} */
  const strays = []
  process.on('unhandledRejection', (reason) => {
    const sentence = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
    strays.push({ rule: 'every rejection is handled', sentence })
  })
  return strays
}

/** Aborts when somebody has seen enough: the seed at hand is finished. */
function interrupted() {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => controller.abort())
  return controller.signal
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`)
}
