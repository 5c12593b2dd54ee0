/** `mqadmin topicRoute`: where a topic lives. */
import type { BrokerData, QueueData, TopicRouteData } from '@rockhopper/protocol'
import { toJson } from '../json.ts'
import { topicRoute } from '../operations/topic-route.ts'
import { flag, required, text } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

interface Row {
  readonly queue: QueueData
  readonly broker: BrokerData | undefined
}

const columns: readonly Column<Row>[] = [
  { title: '#ClusterName', width: 45, cell: ({ broker }) => broker?.cluster ?? '' },
  { title: '#BrokerName', width: 32, cell: ({ queue }) => queue.brokerName },
  { title: '#BrokerAddrs', width: 50, cell: ({ broker }) => addressesText(broker) },
  { title: '#ReadQueue', width: 10, cell: ({ queue }) => queue.readQueueNums },
  { title: '#WriteQueue', width: 11, cell: ({ queue }) => queue.writeQueueNums },
  { title: '#Perm', width: 5, cell: ({ queue }) => queue.perm },
]

/** As long as the line that Apache draws above the sums. */
const RULE = '-'.repeat(158)

export const topicRouteVerb = verb({
  name: 'topicRoute',
  description: 'Examine topic route info.',
  options: {
    topic: required(text('t', 'name of the topic')),
    list: flag('l', 'print a table instead of JSON'),
  },
  async run({ client }, { topic, list }) {
    const route = await topicRoute(client, topic)
    const lines = list === true ? tableOf(route) : toJson(route).split('\n')
    return { lines, json: route }
  },
})

function tableOf(route: TopicRouteData): string[] {
  const rows = route.queueDatas
    .map((queue) => ({
      queue,
      broker: route.brokerDatas.find(({ brokerName }) => brokerName === queue.brokerName),
    }))
    .sort((left, right) => (left.queue.brokerName < right.queue.brokerName ? -1 : 1))
  const sum = (of: (queue: QueueData) => number): number =>
    rows.reduce((total, { queue }) => total + of(queue), 0)
  const totals: readonly Column<undefined>[] = [
    { title: 'Total:', width: 45, cell: () => '' },
    { title: String(rows.length), width: 32, cell: () => '' },
    { title: '', width: 50, cell: () => '' },
    { title: String(sum((queue) => queue.readQueueNums)), width: 10, cell: () => '' },
    { title: String(sum((queue) => queue.writeQueueNums)), width: 11, cell: () => '' },
  ]
  return [...formatTable(columns, rows), RULE, ...formatTable(totals, [])]
}

/** `{0=10.0.0.1:10911, 1=10.0.0.2:10911}`, as Java prints a map. */
function addressesText(broker: BrokerData | undefined): string {
  const addresses = [...(broker?.brokerAddrs ?? [])].sort(([left], [right]) => left - right)
  return `{${addresses.map(([id, address]) => `${id}=${address}`).join(', ')}}`
}
