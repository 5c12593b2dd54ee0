/**
 * What a long run came to, in words, and whether it was as it should be. Owns nothing.
 */
import { FragileVolume } from './fragile-volume.ts'
import { groupStorm } from './group-storm.ts'
import { drawFates } from './plan.ts'
import { losePower, type PowerLosses, type PowerOptions } from './power.ts'
import { storm } from './storm.ts'
import { percentile } from './tally.ts'
import { type TransactionStormOptions, transactionStorm } from './transaction-storm.ts'

export interface Verdict {
  readonly good: boolean
  /** One line. */
  readonly summary: string
  /** All of it. */
  readonly text: string
}

/** A disk that syncs nothing must lose something in so few cycles, or the harness is blunt. */
const CONTROL_CYCLES = 3

export interface KillOptions {
  readonly kills: number
  readonly flushDiskType: 'ASYNC_FLUSH' | 'SYNC_FLUSH'
  readonly seed: number
}

export async function verdictOnKills({
  flushDiskType,
  kills,
  seed,
}: KillOptions): Promise<Verdict> {
  const again = `npm run test:faults -- --kills ${kills} --flush ${flushDiskType} --seed ${seed}`
  try {
    const { examples, flaws, folder, longestSetbackMs, tally } = await storm({
      flushDiskType,
      seed,
      fates: drawFates({ kills, seed }),
      say: (line) => process.stdout.write(`${line}\n`),
    })
    const good = Object.values(flaws).every((count) => count === 0)
    const found = Object.entries(flaws).map(([name, count]) => `${count} ${name}`)
    const { met, missed } = tally.kills
    const summary =
      `${good ? 'passed' : 'failed'}: ${met} kills with ${flushDiskType} (and ${missed} that ` +
      `missed their point) at ${Math.round(tally.rate)} msg/s, ` +
      `${tally.acknowledged} acknowledged: ${found.join(', ')}; ` +
      `restart to first acknowledgement p50 ${tally.restartMs(50)} ms, p99 ${tally.restartMs(99)} ms; ` +
      `offsets of the group went back ${Math.round(longestSetbackMs)} ms at the most`
    const hint = good ? [] : [`what is left is in ${folder}; the same fates again: ${again}`]
    return { good, summary, text: [tally.report(), ...examples, summary, ...hint].join('\n') }
  } catch (error) {
    return broken(error, `kills with ${flushDiskType}`, again)
  }
}

/** A storm over consumer groups: 50 consumers in 10 processes, and so many events. */
export async function verdictOnGroups(options: {
  readonly events: number
  readonly seed: number
}): Promise<Verdict> {
  const { events, seed } = options
  const again = `npm run test:faults -- --group ${events} --seed ${seed}`
  try {
    const say = (line: string): void => void process.stdout.write(`${line}\n`)
    const many = { processes: 10, consumersPerProcess: 5, gapMs: 1_000 }
    const report = await groupStorm({ ...options, ...many, say })
    const good = report.findings.length === 0
    const summary =
      `${good ? 'passed' : 'failed'}: ${events} events over 64 queues: ${report.joins} joins, ` +
      `${report.leaves} leaves, ${report.kills} processes killed with ${report.killedMembers} ` +
      `consumers; ${report.acknowledged} messages acknowledged, ${report.delivered} delivered to 2 ` +
      `groups, ${report.repeats} of them repeats after kills, longest standstill ` +
      `${(report.longestIdleMs / 1000).toFixed(1)} s, ${Math.round(report.durationMs / 1000)} s`
    const found = report.findings.map(({ rule, sentence }) => `broken: ${rule}: ${sentence}`)
    const hint = good ? [] : [`what is left is in ${report.folder}; again: ${again}`]
    return { good, summary, text: [...found, summary, ...hint].join('\n') }
  } catch (error) {
    return broken(error, 'a storm over groups', again)
  }
}

/** So many producers run the transactions of a long storm. */
const PRODUCERS = 4

export async function verdictOnTransactions(
  options: Omit<TransactionStormOptions, 'producers'>,
): Promise<Verdict> {
  const { kills, seed, transactions } = options
  const again = `npm run test:faults -- --transactions ${transactions} --kills ${kills} --seed ${seed}`
  try {
    const report = await transactionStorm({ ...options, producers: PRODUCERS })
    const good = report.findings.length === 0
    const summary =
      `${good ? 'passed' : 'failed'}: ${report.stored} transactions, the broker killed ` +
      `${report.brokerKills} times, producers ${report.producerKills} times: ${report.committed} to ` +
      `be committed, ${report.rolledBack} to be rolled back, ${report.unknown} of them known only ` +
      `when asked; of ${report.begun} begun ${report.asked} were asked about, ${report.visible} are ` +
      `seen, ${report.findings.length} promises broken, ${Math.round(report.durationMs / 1000)} s`
    const found = report.findings.map(({ rule, sentence }) => `broken: ${rule}: ${sentence}`)
    const hint = good ? [] : [`what is left is in ${report.folder}; again: ${again}`]
    return { good, summary, text: [...found, summary, ...hint].join('\n') }
  } catch (error) {
    return broken(error, 'a storm of transactions', again)
  }
}

export async function verdictOnPower(options: PowerOptions): Promise<Verdict> {
  const { cycles, flushDiskType, seed } = options
  const again = `npm run test:faults -- --power ${cycles} --flush ${flushDiskType} --seed ${seed}`
  const reason = FragileVolume.whyNot()
  if (reason !== undefined) {
    const summary = `skipped: losses of power with ${flushDiskType}: ${reason}`
    return { good: true, summary, text: summary }
  }
  try {
    const losses = await losePower(options)
    const isSync = flushDiskType === 'SYNC_FLUSH'
    const control = isSync
      ? await losePower({ ...options, cycles: CONTROL_CYCLES, lie: 'no-syncs' })
      : losses
    const isSharp = control.gone > 0
    const flaws = Object.values(losses.flaws).reduce((sum, count) => sum + count, 0)
    const good = flaws + losses.gaps === 0 && isSharp && (!isSync || losses.gone === 0)
    const summary = `${good ? 'passed' : 'failed'}: ${sentence(flushDiskType, losses)}`
    const lines = [
      summary,
      ...(isSync ? [`control, on a disk that syncs nothing: ${sentence('it', control)}`] : []),
      ...losses.examples,
      ...(isSharp ? [] : ['the harness is blunt: nothing was lost that was not synced']),
      ...(good ? [] : [`what is left is in ${losses.folder}; again: ${again}`]),
    ]
    return { good, summary, text: lines.join('\n') }
  } catch (error) {
    return broken(error, `losses of power with ${flushDiskType}`, again)
  }
}

function sentence(subject: string, losses: PowerLosses): string {
  const { acknowledged, cycles, cyclesWithLoss, flaws, gaps, gone, recoveryMs } = losses
  const found = Object.entries(flaws).map(([name, count]) => `${count} ${name}`)
  const sorted = recoveryMs.toSorted((a, b) => a - b)
  return (
    `${cycles} losses of power with ${subject}, ${acknowledged} acknowledged: ${gone} gone at the ` +
    `end (in ${cyclesWithLoss} cycles), ${gaps} gaps in the log; of the rest ${found.join(', ')}; ` +
    `start p50 ${Math.round(percentile(sorted, 50))} ms, p99 ${Math.round(percentile(sorted, 99))} ms`
  )
}

function broken(error: unknown, what: string, again: string): Verdict {
  const reason = error instanceof Error ? error.message : String(error)
  const summary = `failed: ${what}: ${reason.split('\n')[0]}`
  return { good: false, summary, text: `${summary}\n${reason}\nagain: ${again}` }
}
