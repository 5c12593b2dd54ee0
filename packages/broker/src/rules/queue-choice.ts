/**
 * Which queue a message goes to when its sender left that to the broker.
 */
import type { Random } from '@rockhopper/host'
import { responseCode, type TopicConfig } from '@rockhopper/protocol'
import { Refusal } from '@rockhopper/remoting'

/** The queue asked for, or a random one for a number below 0. Throws `Refusal` beyond the last. */
export function queueFor(config: TopicConfig, queueId: number, random: Random): number {
  if (queueId < 0) return random.below(Math.max(1, config.writeQueueNums))
  const queues = Math.max(config.writeQueueNums, config.readQueueNums)
  if (queueId < queues) return queueId
  throw new Refusal(
    responseCode.INVALID_PARAMETER,
    `queue ${queueId} of topic "${config.topicName}" does not exist: it has ${queues} queues`,
  )
}
