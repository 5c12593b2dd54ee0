/**
 * What a run over a cluster of four brokers came to, in words. Owns nothing.
 */
import { type ClusterStormOptions, clusterStorm, lostDisk } from './cluster-storm.ts'
import type { Verdict } from './verdict.ts'

export async function verdictOnCluster(options: ClusterStormOptions): Promise<Verdict> {
  const { kills, perSecond, seconds } = options
  const again = `--cluster --kills ${kills} --rate ${perSecond} --seconds ${seconds}`
  return judged('a cluster of two masters and two slaves', again, () => clusterStorm(options))
}

export async function verdictOnLostDisk(
  options: Omit<ClusterStormOptions, 'kills'>,
): Promise<Verdict> {
  const again = `--lost-disk --rate ${options.perSecond} --seconds ${options.seconds}`
  return judged('a synchronous master that lost its disk', again, () => lostDisk(options))
}

async function judged(
  what: string,
  again: string,
  play: () => ReturnType<typeof clusterStorm>,
): Promise<Verdict> {
  const command = `again: npm run test:faults -- ${again}`
  try {
    const report = await play()
    const good = report.findings.length === 0
    const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`
    const summary =
      `${good ? 'passed' : 'failed'}: ${what}, ${report.kills} kills at ` +
      `${Math.round(report.perSecond)} msg/s over ${seconds(report.durationMs)}: ` +
      `${report.acknowledged} acknowledged (${report.lessSafe} without the slave), ` +
      `${report.compared} compared, ${report.delivered} delivered and ${report.repeats} of them again; ` +
      `${report.failures} sends failed after their retries, longest time without an acknowledgement ` +
      `${seconds(report.longestGapMs)}, to a message from a slave ${seconds(report.slaveReadMs)}`
    const failure = report.lastFailure === undefined ? [] : [`last failure: ${report.lastFailure}`]
    const hint = good ? failure : [`what is left is in ${report.folder}; ${command}`]
    return { good, summary, text: [...report.findings, summary, ...hint].join('\n') }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const summary = `failed: ${what}: ${reason.split('\n')[0]}`
    return { good: false, summary, text: `${summary}\n${reason}\n${command}` }
  }
}
