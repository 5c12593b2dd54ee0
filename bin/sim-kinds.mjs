/**
 * The kinds of simulations that there are, as a table: how one seed of each is played, and what the
 * last line says of all of them. Each process that plays has its own copy. Owns nothing.
 */

/** Each store that was stopped has so many of its bits flipped before another one is made. */
const FLIPS_PER_STORE = 500

/**
 * What the flags ask for. `faults` is whether things go wrong, `flips` how many bits are to be
 * flipped in all.
 * @typedef {{ seeds: number, seed: number, jobs: number, story?: boolean, faults: boolean,
 *   flips?: number }} Wish
 * @typedef {typeof import('@rockhopper/sim')} Sim
 * @typedef {import('@rockhopper/sim').Finding} Finding
 */

/** @typedef {Record<string, number>} Sums what is counted, by name */

/**
 * The outcome of one seed. `story` tells it with findings that may have come after it.
 * @typedef {{ findings: readonly Finding[], sums: Sums,
 *   story: (findings: readonly Finding[]) => string }} Outcome
 */

/**
 * What the last line is made of: counts of all seeds, and the time that they took.
 * @typedef {{ sums: Sums, played: number, failures: number, seed: number, seconds: number,
 *   cpuMs: number }} Totals
 */

/**
 * `seeds` is how many seeds a wish comes to. `largest` names sums of which the largest counts.
 * @typedef {{ seeds?: (wish: Wish) => number, largest?: readonly string[],
 *   play: (sim: Sim, seed: number, wish: Wish) => Promise<Outcome>,
 *   summary: (totals: Totals) => string }} Kind
 */

/** @type {Record<'cluster' | 'store' | 'group' | 'timers' | 'flips', Kind>} */
export const KINDS = {
  cluster: {
    async play({ simulateReplicas, storyOfReplicas }, seed, { faults }) {
      const report = await simulateReplicas(seed, { faults })
      const { acknowledgedCount, deliveredCount, eventCount, faultCount, findings } = report
      return {
        ...{ findings, story: (found) => storyOfReplicas({ ...report, findings: found }) },
        sums: {
          ...{ acknowledged: acknowledgedCount, delivered: deliveredCount },
          ...{ faults: faultCount, events: eventCount },
        },
      }
    },
    summary: ({ sums, ...totals }) =>
      `sim: ${totals.played} runs of masters and slaves ${brokenOf(totals)}; ` +
      `${count(sums['acknowledged'])} messages acknowledged, ` +
      `${count(sums['delivered'])} delivered, ${count(sums['faults'])} faults, ` +
      `${count(sums['events'])} events in ${totals.seconds.toFixed(1)} s ` +
      `(${(totals.cpuMs / Math.max(1, totals.played)).toFixed(0)} ms of processor time per run)`,
  },
  store: {
    async play({ simulateStore, storyOfStore }, seed) {
      const report = await simulateStore(seed)
      const { acknowledgedCount, appendedCount, findings, openedCount } = report
      return {
        ...{ findings, story: (found) => storyOfStore({ ...report, findings: found }) },
        sums: { acknowledged: acknowledgedCount, appended: appendedCount, opened: openedCount },
      }
    },
    summary: ({ sums, ...totals }) =>
      `sim: ${totals.played} lives of a store ${brokenOf(totals)}; ` +
      `${count(sums['appended'])} messages appended, ${count(sums['acknowledged'])} acknowledged, ` +
      `${count(sums['opened'])} times opened in ${totals.seconds.toFixed(1)} s ` +
      `(${(totals.cpuMs / Math.max(1, totals.played)).toFixed(1)} ms of processor time per life)`,
  },
  group: {
    largest: ['idleMs'],
    async play({ simulateStorm, storyOfStorm }, seed) {
      const report = await simulateStorm(seed)
      const { acknowledgedCount, deliveredCount, findings, killCount, repeatCount } = report
      return {
        ...{ findings, story: (found) => storyOfStorm({ ...report, findings: found }) },
        sums: {
          ...{ acknowledged: acknowledgedCount, delivered: deliveredCount },
          ...{ repeats: repeatCount, kills: killCount, idleMs: report.longestIdleMs },
        },
      }
    },
    summary: ({ sums, ...totals }) =>
      `sim: ${totals.played} storms over groups ${brokenOf(totals)}; ` +
      `${count(sums['acknowledged'])} messages acknowledged, ` +
      `${count(sums['delivered'])} delivered, ${count(sums['kills'])} kills, ` +
      `${count(sums['repeats'])} repeats, longest standstill ` +
      `${((sums['idleMs'] ?? 0) / 1000).toFixed(1)} s, in ${totals.seconds.toFixed(1)} s`,
  },
  timers: {
    async play({ simulateTimers, storyOfTimers }, seed) {
      const report = await simulateTimers(seed)
      const { deliveredCount, findings, jumpCount, outageCount, recalledCount } = report
      return {
        ...{ findings, story: (found) => storyOfTimers({ ...report, findings: found }) },
        sums: {
          ...{ stored: report.storedCount, delivered: deliveredCount, recalled: recalledCount },
          ...{ outages: outageCount, jumps: jumpCount, days: report.durationMs / 86_400_000 },
        },
      }
    },
    summary: ({ sums, ...totals }) =>
      `sim: ${totals.played} lives of delayed messages ${brokenOf(totals)}; ` +
      `${count(sums['stored'])} stored, ${count(sums['recalled'])} called off, ` +
      `${count(sums['delivered'])} delivered, the broker away ` +
      `${count(sums['outages'])} times, clocks set ${count(sums['jumps'])} ` +
      `times in ${(sums['days'] ?? 0).toFixed(0)} days, in ${totals.seconds.toFixed(1)} s`,
  },
  flips: {
    seeds: ({ flips = 0 }) => Math.ceil(flips / FLIPS_PER_STORE),
    async play({ FLIP_ENDINGS, flipBits }, seed, wish) {
      const store = seed - wish.seed
      const bits = Math.min(FLIPS_PER_STORE, (wish.flips ?? 0) - store * FLIPS_PER_STORE)
      const ending = FLIP_ENDINGS[store % FLIP_ENDINGS.length] ?? 'close'
      const { findings, flips, harmless, told } = await flipBits(seed, bits, ending)
      const story = (/** @type {readonly Finding[]} */ found) =>
        [
          `store ${seed} (${ending}): ${found.length} broken promises in ${flips} flips`,
          ...found.map(({ rule, sentence }) => `  broken: ${rule}: ${sentence}`),
        ].join('\n')
      return { findings, story, sums: { flips, harmless, told } }
    },
    summary: ({ sums, ...totals }) =>
      `sim: ${count(sums['flips'])} bits flipped in ${totals.played} stores ${brokenOf(totals)}; ` +
      `${count(sums['harmless'])} without effect, ${count(sums['told'])} told of ` +
      `in ${totals.seconds.toFixed(1)} s`,
  },
}

/** @param {Omit<Totals, 'sums'>} totals */
function brokenOf({ failures, seed }) {
  return `from seed ${seed}, ${failures} broke a promise`
}

/** @param {number | undefined} number */
function count(number = 0) {
  return number.toLocaleString('en')
}
