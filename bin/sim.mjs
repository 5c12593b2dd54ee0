/**
 * Plays the simulations of many seeds in as many processes as there are processors, and tells the
 * story of those that broke a promise, in the order of the seeds. A seed repeats its run exactly,
 * whatever was run before it or beside it. Without a flag a whole cluster is played: name servers, two
 * masters, slaves, producers and consumers; each other kind (`sim-kinds.mjs`) has a flag of its name.
 */
import { availableParallelism } from 'node:os'
import { built, isBuilt } from './built.mjs'
import { playSeeds } from './sim-crew.mjs'
import { KINDS } from './sim-kinds.mjs'

const DEFAULT_SEEDS = 100

/**
 * @typedef {import('./sim-kinds.mjs').Wish} Wish
 * @typedef {keyof typeof KINDS} KindName
 */

/**
 * Resolves to the exit code: 1 when a promise was broken.
 * @param {readonly string[]} args
 */
export async function runSimulations(args) {
  // Says so once, not once for each process.
  if (!isBuilt('sim')) await built('sim')
  const { kind, wish } = await readFlags(args)
  const { largest = [], seeds = () => wish.seeds, summary } = KINDS[kind]
  const totals = {
    sums: /** @type {Record<string, number>} */ ({}),
    played: 0,
    failures: 0,
    cpuMs: 0,
  }
  const startMs = performance.now()
  const signal = interrupted()
  await playSeeds({ kind, wish, count: seeds(wish), signal }, ({ broken, cpuMs, story, sums }) => {
    totals.played += 1
    totals.cpuMs += cpuMs
    if (broken) totals.failures += 1
    if (story !== undefined) say(story)
    for (const [name, number] of Object.entries(sums)) {
      const before = totals.sums[name] ?? 0
      totals.sums[name] = largest.includes(name) ? Math.max(before, number) : before + number
    }
  })
  const seconds = (performance.now() - startMs) / 1000
  say(summary({ ...totals, seed: wish.seed, seconds }))
  return totals.failures === 0 ? 0 : 1
}

/**
 * @param {readonly string[]} args
 * @returns {Promise<{ kind: KindName, wish: Wish }>}
 */
async function readFlags(args) {
  const { Command, InvalidArgumentError, Option } = await import('commander')
  const wholeNumber = (/** @type {string} */ text) => {
    if (/^\d{1,15}$/.test(text)) return Number(text)
    throw new InvalidArgumentError('Give a whole number.')
  }
  const atLeastOne = (/** @type {string} */ text) => Math.max(1, wholeNumber(text))
  const kind = (/** @type {string} */ flags, /** @type {string} */ description) =>
    new Option(flags, description).conflicts(OTHER_KINDS.filter((name) => !flags.includes(name)))
  /** @type {Wish & Partial<Record<'store' | 'group' | 'timers', boolean>>} */
  const { store, group, timers, ...wish } = new Command('sim')
    .description('Plays simulations of a cluster in which things go wrong, one per seed.')
    .option('--seeds <count>', 'how many seeds', wholeNumber, DEFAULT_SEEDS)
    .option('--seed <first>', 'the first seed', wholeNumber, 1)
    .option('--jobs <count>', 'how many seeds at a time', atLeastOne, availableParallelism())
    .option('--story', 'tell the story of every seed, not only of those that broke a promise')
    .addOption(kind('--store', 'lives of a store alone instead of clusters'))
    .addOption(kind('--group', 'storms over consumer groups instead of clusters'))
    .addOption(kind('--timers', 'days of delayed messages instead of clusters'))
    .addOption(
      kind('--flips <count>', 'flip so many single bits of stopped stores instead').argParser(
        wholeNumber,
      ),
    )
    .option('--no-faults', 'let nothing go wrong')
    .allowExcessArguments(false)
    .parse([...args], { from: 'user' })
    .opts()
  const asked = { store, group, timers, flips: wish.flips !== undefined }
  return { kind: OTHER_KINDS.find((name) => asked[name]) ?? 'cluster', wish }
}

/** @type {readonly Exclude<KindName, 'cluster'>[]} */
const OTHER_KINDS = ['store', 'group', 'timers', 'flips']

/** Aborts when somebody has seen enough: the seeds at hand are finished. Twice ends it at once. */
function interrupted() {
  const controller = new AbortController()
  const signals = /** @type {const} */ (['SIGINT', 'SIGTERM'])
  const stop = () => {
    for (const signal of signals) process.off(signal, stop)
    controller.abort()
  }
  for (const signal of signals) process.on(signal, stop)
  return controller.signal
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`)
}
