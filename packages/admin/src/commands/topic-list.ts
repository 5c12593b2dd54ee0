/** `mqadmin topicList`: which topics there are, and with `-c` who consumes them. */
import { type TopicConsumer, topicConsumers, topicList } from '../operations/topic-list.ts'
import { flag } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

const columns: readonly Column<TopicConsumer>[] = [
  { title: '#Cluster Name', width: 20, cutAt: 20, cell: (row) => row.clusterName },
  { title: '#Topic', width: 48, cutAt: 64, cell: (row) => row.topic },
  { title: '#Consumer Group', width: 48, cutAt: 64, cell: (row) => row.group },
]

export const topicListVerb = verb({
  name: 'topicList',
  description: 'Fetch all topic list from name server.',
  options: { clusterModel: flag('c', 'show the cluster and the consumer groups of each topic') },
  async run({ client }, { clusterModel }) {
    if (clusterModel === true) {
      const rows = await topicConsumers(client)
      return { lines: formatTable(columns, rows), json: rows }
    }
    const topics = await topicList(client)
    return { lines: topics, json: topics }
  },
})
