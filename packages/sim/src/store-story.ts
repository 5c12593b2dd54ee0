/**
 * Tells the life of a simulated store so that a person can follow it. Pure.
 */
import type { StoreReport } from './store-life.ts'
import { tellStory } from './story.ts'

/** Several lines, the first of which says how it ended. */
export function storyOfStore(report: StoreReport): string {
  const counts =
    `${report.appendedCount} messages appended, ${report.acknowledgedCount} acknowledged, ` +
    `${report.readCount} read, ${report.openedCount} times open`
  return `store ${tellStory(report, counts, '--store ')}`
}
