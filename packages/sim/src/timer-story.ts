/**
 * Tells what happened in a life of delayed messages so that a person can follow it. Pure.
 */
import { tellStory } from './story.ts'
import type { TimerReport } from './timers.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfTimers(report: TimerReport): string {
  const counts =
    `${report.sentCount} messages sent, ${report.storedCount} stored, ${report.recalledCount} ` +
    `called off, ${report.deliveredCount} delivered in ${report.eventCount} events`
  return tellStory(report, counts, '--timers ')
}
