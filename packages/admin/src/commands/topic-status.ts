/** `mqadmin topicStatus`: how full the queues of a topic are. */
import type { TopicQueueStats } from '@rockhopper/protocol'
import { topicStatus } from '../operations/topic-status.ts'
import { required, text } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

function columns(timeText: (timeMs: number) => string): readonly Column<TopicQueueStats>[] {
  const lastUpdated = ({ lastUpdateTimestamp }: TopicQueueStats): string =>
    lastUpdateTimestamp > 0 ? `  ${timeText(lastUpdateTimestamp)}` : ''
  return [
    { title: '#Broker Name', width: 32, cutAt: 32, cell: ({ queue }) => queue.brokerName },
    { title: '#QID', width: 4, cell: ({ queue }) => queue.queueId },
    { title: '#Min Offset', width: 20, cell: ({ minOffset }) => minOffset },
    { title: '#Max Offset', width: 20, cell: ({ maxOffset }) => maxOffset },
    { title: '  #Last Updated', width: 0, cell: lastUpdated },
  ]
}

export const topicStatusVerb = verb({
  name: 'topicStatus',
  description: 'Examine topic Status info.',
  options: {
    topic: required(text('t', 'name of the topic')),
    cluster: text('c', 'topic whose route is used when the topic itself has none'),
  },
  async run({ client, timeText }, { topic, cluster }) {
    const status = await topicStatus(client, topic, cluster)
    const rows = formatTable(columns(timeText), status.queues)
    return { lines: [...rows, '', `Topic Put TPS: ${status.topicPutTps}`], json: status }
  },
})
