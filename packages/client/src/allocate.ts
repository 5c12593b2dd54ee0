/**
 * Who of a group consumes which queues. Every member computes it for itself from the same lists, so
 * the rule must be Apache's to the queue. Source: Apache class AllocateMessageQueueAveragely;
 * `client.md` section 5.3.
 */
import type { MessageQueue } from '@rockhopper/protocol'

/**
 * The queues of one member: a run of neighbours, at most one longer than that of any other member.
 * `queues` and `members` must be sorted the same way by all; a member that is not in the list gets
 * nothing.
 */
export function allocateAveragely(
  queues: readonly MessageQueue[],
  members: readonly string[],
  member: string,
): readonly MessageQueue[] {
  const index = members.indexOf(member)
  if (index < 0) return []
  const share = Math.floor(queues.length / members.length)
  const longer = queues.length % members.length
  const start = index * share + Math.min(index, longer)
  return queues.slice(start, start + share + (index < longer ? 1 : 0))
}
