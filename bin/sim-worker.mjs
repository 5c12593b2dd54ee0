/**
 * A process that plays the seeds it is sent, one at a time, and answers what each came to. Ends when
 * its parent is gone. A rejection that nobody handles ends a real process: here it is a finding.
 */
import { built } from './built.mjs'
import { KINDS } from './sim-kinds.mjs'

/**
 * @typedef {import('./sim-kinds.mjs').Wish} Wish
 * @typedef {import('@rockhopper/sim').Finding} Finding
 * @typedef {{ kind: keyof typeof KINDS, wish: Wish, seed: number }} Task
 */

/**
 * What a seed came to. The story is there when a promise was broken, or when it is wished for; `died`
 * when its process did.
 * @typedef {{ seed: number, died?: boolean, broken: boolean, story?: string, sums: Record<string, number>,
 *   cpuMs: number }} Played
 */

const sim = await built('sim')

/** @type {Finding[]} */
const strays = []

process.on('unhandledRejection', (reason) => {
  const sentence = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)
  strays.push({ rule: 'every rejection is handled', sentence })
})
// Whoever interrupts the run interrupts all of its processes: the parent says when it is over.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit())
process.on('message', async (task) => {
  process.send?.(await played(/** @type {Task} */ (task)))
})

/**
 * @param {Task} task
 * @returns {Promise<Played>}
 */
async function played({ kind, wish, seed }) {
  const before = process.cpuUsage()
  const outcome = await KINDS[kind].play(sim, seed, wish).catch(outcomeOf)
  const found = [...outcome.findings, ...strays.splice(0)]
  const { system, user } = process.cpuUsage(before)
  const isBroken = found.length > 0
  return {
    ...{ seed, broken: isBroken, sums: outcome.sums, cpuMs: (system + user) / 1000 },
    ...(isBroken || wish.story === true ? { story: outcome.story(found) } : {}),
  }
}

/**
 * A run that could not be played to its end.
 * @param {unknown} error
 * @returns {import('./sim-kinds.mjs').Outcome}
 */
function outcomeOf(error) {
  const sentence = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const story = (/** @type {readonly Finding[]} */ found) =>
    found.map((each) => each.sentence).join('\n')
  return { findings: [{ rule: 'a run ends', sentence }], story, sums: {} }
}
