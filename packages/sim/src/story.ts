/**
 * Tells what happened in a simulation so that a person can follow it: the seed, what went wrong and
 * when, and which promises were broken. Pure.
 */
import type { SimulationReport } from './simulation.ts'

/** Several lines, the first of which says how it ended. */
export function storyOf(report: SimulationReport): string {
  const { seed, setting, incidents, findings, trace } = report
  const how = findings.length === 0 ? 'all promises were kept' : `broke ${findings.length} promises`
  return [
    `seed ${seed}: ${how} (${setting})`,
    ...incidents.map(({ atMs, sentence }) => `  ${shownTime(atMs)}  ${sentence}`),
    ...findings.map(({ rule, sentence }) => `  broken: ${rule}: ${sentence}`),
    `  ${countsOf(report)}`,
    `  trace ${trace}; again: npm run sim -- --seed ${seed} --seeds 1`,
  ].join('\n')
}

function countsOf(report: SimulationReport): string {
  return (
    `${report.sentCount} messages sent, ${report.acknowledgedCount} acknowledged, ` +
    `${report.storedCount} stored, ${report.deliveredCount} delivered ` +
    `(${report.repeatCount} repeats) in ${report.eventCount} events`
  )
}

function shownTime(atMs: number): string {
  return `${(atMs / 1000).toFixed(3).padStart(8)} s`
}
