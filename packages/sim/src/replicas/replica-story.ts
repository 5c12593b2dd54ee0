/**
 * Tells what happened to a whole cluster so that a person can follow it. Pure.
 */
import { tellStory } from '../story.ts'
import type { ReplicaReport } from './replica-run.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfReplicas(report: ReplicaReport): string {
  const faults = Object.entries(report.faultCounts).map(([kind, count]) => `${count} ${kind}`)
  const counts =
    `${report.sentCount} messages sent, ${report.acknowledgedCount} acknowledged, ` +
    `${report.storedCount} stored, ${report.deliveredCount} delivered in ` +
    `${(report.durationMs / 1000).toFixed(1)} s, ${report.eventCount} events; ` +
    `faults: ${faults.join(', ') || 'none'}`
  return tellStory(report, counts)
}
