/**
 * Tells what happened in a life of delayed messages so that a person can follow it. Pure.
 */
import type { TimerReport } from './timers.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfTimers(report: TimerReport): string {
  const { findings, incidents, seed, setting, trace } = report
  const how = findings.length === 0 ? 'all promises were kept' : `broke ${findings.length} promises`
  return [
    `seed ${seed}: ${how} (${setting})`,
    ...incidents.map(({ atMs, sentence }) => {
      return `  ${(atMs / 1000).toFixed(3).padStart(10)} s  ${sentence}`
    }),
    ...findings.map(({ rule, sentence }) => `  broken: ${rule}: ${sentence}`),
    `  ${report.sentCount} messages sent, ${report.storedCount} stored, ${report.recalledCount} ` +
      `called off, ${report.deliveredCount} delivered in ${report.eventCount} events`,
    `  trace ${trace}; again: npm run sim -- --timers --seed ${seed} --seeds 1`,
  ].join('\n')
}
