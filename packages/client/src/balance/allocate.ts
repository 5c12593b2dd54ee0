/**
 * Who of a group consumes which queues. Every member computes it for itself from the same lists, so
 * each rule is Apache's to the queue. Source: Apache interface AllocateMessageQueueStrategy and the
 * classes AllocateMessageQueueAveragely, -AveragelyByCircle and -ByConfig; `client.md` section 5.3.
 * Pure: it owns nothing.
 */
import type { MessageQueue } from '@rockhopper/protocol'

/** A rule by which a group shares the queues of a topic. All members must use the same. */
export interface AllocationStrategy {
  /** Under which people and brokers know it. */
  readonly name: string
  /**
   * The queues of the member `clientId`. `queues` are those of one topic, by broker and number;
   * `members` are the ids of the group in the order of their UTF-16 units. A member that is not in
   * the list gets nothing. When it throws, the member keeps what it has.
   */
  allocate(
    group: string,
    clientId: string,
    queues: readonly MessageQueue[],
    members: readonly string[],
  ): readonly MessageQueue[]
}

/** A run of neighbours for each member, at most one longer than that of any other: the default. */
export const allocateAveragely: AllocationStrategy = {
  name: 'AVG',
  allocate(_group, clientId, queues, members) {
    const index = members.indexOf(clientId)
    if (index < 0) return []
    const share = Math.floor(queues.length / members.length)
    const longer = queues.length % members.length
    const start = index * share + Math.min(index, longer)
    return queues.slice(start, start + share + (index < longer ? 1 : 0))
  },
}

/** The queues are dealt out one by one, so that each member has some of every broker. */
export const allocateByCircle: AllocationStrategy = {
  name: 'AVG_BY_CIRCLE',
  allocate(_group, clientId, queues, members) {
    const index = members.indexOf(clientId)
    if (index < 0) return []
    return queues.filter((_, at) => at % members.length === index)
  },
}

/**
 * This member always has exactly these queues, whoever else there is: people see to it that each
 * queue is somebody's. The queues of the group's retry topic must be among them too.
 */
export function allocateByConfiguration(own: readonly MessageQueue[]): AllocationStrategy {
  return { name: 'CONFIG', allocate: () => own }
}
