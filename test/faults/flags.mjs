/** The flags of `npm run test:faults`: what each run is, what it takes, and what is usual for it. */
import { Command, InvalidArgumentError, Option } from 'commander'

/** What a run takes when it is not told. */
const USUAL = {
  kill: { kills: '100' },
  transactions: { kills: '20' },
  cluster: { kills: '10', rate: '20000', seconds: '300' },
  lostDisk: { rate: '5000', seconds: '20' },
  partitions: { rate: '1000', seconds: '15' },
}
const NOTHING = { kills: '0', rate: '20000', seconds: '300' }

/**
 * @typedef {{ kills: string, power: string, group: string, timers: string, transactions: string,
 *   cluster: boolean, lostDisk: boolean, partitions: boolean, only: string, seconds: string,
 *   rate: string, flush: string, seed: string }} Flags
 */

/**
 * Ends the process for a flag that is none, or a value that cannot be.
 * @param {readonly string[]} args
 * @returns {Flags}
 */
export function readFlags(args) {
  const given = new Command('test:faults')
    .description('Runs servers and clients under faults, and says what became of each message.')
    .option('--kills <count>', 'a broker is killed so often (100; other runs: 20, 10)', count)
    .option('--power <count>', 'its volume loses power instead; as root, on Linux', count)
    .option('--group <count>', 'consumers join, leave and are killed, about 3 minutes', count)
    .option('--timers <count>', 'messages with times of their own, about 3 minutes', count)
    .option('--transactions <count>', 'transactions; broker and producers are killed', count)
    .option('--cluster', 'two masters and two slaves, each killed in turn', false)
    .option('--lost-disk', 'a synchronous master is killed and loses its disk', false)
    .option('--partitions', 'the network is cut in twelve ways; as root, on Linux', false)
    .option('--only <patterns>', 'of these twelve, such as 3,7', patterns, '')
    .option('--seconds <count>', 'how long a run with a cluster is', count)
    .option('--rate <count>', 'messages a second of a run with a cluster', count)
    .addOption(
      new Option('--flush <mode>', 'of a run with kills or power losses')
        .choices(['both', 'ASYNC_FLUSH', 'SYNC_FLUSH'])
        .default('both'),
    )
    .option('--seed <number>', 'what is random repeats itself with it', count, '1')
    .allowExcessArguments(false)
    .parse([...args], { from: 'user' })
    .opts()
  const none = { power: '0', group: '0', timers: '0', transactions: '0' }
  return { ...none, ...NOTHING, ...usualOf(given), ...given }
}

/** @param {Partial<Flags>} given */
function usualOf({ cluster, group, lostDisk, partitions, power, timers, transactions }) {
  if (transactions !== undefined) return USUAL.transactions
  if (cluster === true) return USUAL.cluster
  if (lostDisk === true) return USUAL.lostDisk
  if (partitions === true) return USUAL.partitions
  const isOther = [group, power, timers].some((value) => value !== undefined)
  return isOther ? NOTHING : USUAL.kill
}

/** @param {string} text */
function count(text) {
  if (/^\d{1,15}$/.test(text)) return text
  throw new InvalidArgumentError('Give a whole number.')
}

/** @param {string} text */
function patterns(text) {
  if (/^\d+(,\d+)*$/.test(text)) return text
  throw new InvalidArgumentError('Give numbers of patterns, such as 3,7.')
}
