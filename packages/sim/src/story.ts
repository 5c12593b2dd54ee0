/**
 * Tells what happened in a run of a seed so that a person can follow it: the seed, what went wrong and
 * when, and which promises were broken. Pure.
 */
import type { RunReport } from './run.ts'

/** Several lines, the first of which says how it ended; `flags` choose the kind of run. */
export function tellStory(
  report: Omit<RunReport, 'durationMs' | 'eventCount'>,
  counts: string,
  flags = '',
): string {
  const { findings, incidents, seed, setting, trace } = report
  const how = findings.length === 0 ? 'all promises were kept' : `broke ${findings.length} promises`
  return [
    `seed ${seed}: ${how} (${setting})`,
    ...incidents.map(({ atMs, sentence }) => `  ${shownTime(atMs)}  ${sentence}`),
    ...findings.map(({ rule, sentence }) => `  broken: ${rule}: ${sentence}`),
    `  ${counts}`,
    `  trace ${trace}; again: npm run sim -- ${flags}--seed ${seed} --seeds 1 --story`,
  ].join('\n')
}

function shownTime(atMs: number): string {
  return `${(atMs / 1000).toFixed(3).padStart(10)} s`
}
