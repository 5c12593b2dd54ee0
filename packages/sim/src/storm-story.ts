/**
 * Tells what happened in a storm so that a person can follow it. Pure.
 */
import type { StormReport } from './storm.ts'
import { tellStory } from './story.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfStorm(report: StormReport): string {
  const counts =
    `${report.acknowledgedCount} messages acknowledged, ${report.deliveredCount} delivered ` +
    `(${report.repeatCount} repeats, ${report.killCount} kills), longest standstill ` +
    `${(report.longestIdleMs / 1000).toFixed(1)} s, ${report.eventCount} events`
  return tellStory(report, counts, '--group ')
}
