/**
 * Tells what happened to masters and slaves so that a person can follow it. Pure.
 */
import type { ReplicaReport } from './replica-run.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfReplicas(report: ReplicaReport): string {
  const { findings, incidents, seed, setting, trace } = report
  const how = findings.length === 0 ? 'all promises were kept' : `broke ${findings.length} promises`
  return [
    `seed ${seed}: ${how} (${setting})`,
    ...incidents.map(({ atMs, sentence }) => {
      return `  ${(atMs / 1000).toFixed(3).padStart(8)} s  ${sentence}`
    }),
    ...findings.map(({ rule, sentence }) => `  broken: ${rule}: ${sentence}`),
    `  ${report.sentCount} messages sent, ${report.acknowledgedCount} acknowledged, ` +
      `${report.storedCount} stored, ${report.deliveredCount} delivered in ` +
      `${(report.durationMs / 1000).toFixed(1)} s, ${report.eventCount} events`,
    `  trace ${trace}; again: npm run sim -- --replicas --seed ${seed} --seeds 1`,
  ].join('\n')
}
