/**
 * Tells the life of a simulated store so that a person can follow it. Pure.
 */
import type { StoreReport } from './store-life.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfStore(report: StoreReport): string {
  const { findings, incidents, seed, setting, trace } = report
  const how = findings.length === 0 ? 'all promises were kept' : `broke ${findings.length} promises`
  return [
    `store seed ${seed}: ${how} (${setting})`,
    ...incidents.map(({ atMs, sentence }) => `  ${shownTime(atMs)}  ${sentence}`),
    ...findings.map(({ rule, sentence }) => `  broken: ${rule}: ${sentence}`),
    `  ${report.appendedCount} messages appended, ${report.acknowledgedCount} acknowledged, ` +
      `${report.readCount} read, ${report.openedCount} times open`,
    `  trace ${trace}; again: npm run sim -- --store --seed ${seed} --seeds 1 --story`,
  ].join('\n')
}

function shownTime(atMs: number): string {
  return `${(atMs / 1000).toFixed(3).padStart(8)} s`
}
