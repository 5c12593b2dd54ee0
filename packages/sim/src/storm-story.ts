/**
 * Tells what happened in a storm so that a person can follow it. Pure.
 */
import type { StormReport } from './storm.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfStorm(report: StormReport): string {
  const { findings, incidents, seed, setting, trace } = report
  const how = findings.length === 0 ? 'all promises were kept' : `broke ${findings.length} promises`
  return [
    `seed ${seed}: ${how} (${setting})`,
    ...incidents.map(({ atMs, sentence }) => {
      return `  ${(atMs / 1000).toFixed(3).padStart(8)} s  ${sentence}`
    }),
    ...findings.map(({ rule, sentence }) => `  broken: ${rule}: ${sentence}`),
    `  ${report.acknowledgedCount} messages acknowledged, ${report.deliveredCount} delivered ` +
      `(${report.repeatCount} repeats, ${report.killCount} kills), longest standstill ` +
      `${(report.longestIdleMs / 1000).toFixed(1)} s, ${report.eventCount} events`,
    `  trace ${trace}; again: npm run sim -- --group --seed ${seed} --seeds 1`,
  ].join('\n')
}
