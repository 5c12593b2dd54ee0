/** `mqadmin consumerProgress`: how far the groups are with the messages of their topics. */
import { type ConsumeQueueStats, versionName } from '@rockhopper/protocol'
import {
  consumerProgress,
  diffTotalOf,
  type GroupSummary,
  groupSummaries,
  inflightOf,
  type Progress,
  queueName,
  queueOwners,
} from '../operations/consumer-progress.ts'
import { text, truth } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { type Output, type VerbContext, verb } from '../verb.ts'

const groupColumns: readonly Column<GroupSummary>[] = [
  { title: '#Group', width: 64, cutAt: 64, cell: (row) => row.group },
  { title: '#Count', width: 6, cell: (row) => row.count },
  { title: '#Version', width: 24, cell: versionText },
  { title: '#Type', width: 5, cell: typeText },
  { title: '#Model', width: 14, cell: (row) => row.messageModel ?? '' },
  { title: '#TPS', width: 7, cell: (row) => Math.trunc(row.consumeTps) },
  { title: '#Diff Total', width: 0, cell: (row) => row.diffTotal },
]

function queueColumns(
  timeText: (timeMs: number) => string,
  owners: ReadonlyMap<string, string> | undefined,
): readonly Column<ConsumeQueueStats>[] {
  const owner: Column<ConsumeQueueStats> = {
    title: '#Client IP',
    width: 20,
    cell: ({ queue }) => owners?.get(queueName(queue)) ?? 'N/A',
  }
  return [
    { title: '#Topic', width: 64, cutAt: 64, cell: ({ queue }) => queue.topic },
    { title: '#Broker Name', width: 32, cutAt: 32, cell: ({ queue }) => queue.brokerName },
    { title: '#QID', width: 4, cell: ({ queue }) => queue.queueId },
    { title: '#Broker Offset', width: 20, cell: (row) => row.brokerOffset },
    { title: '#Consumer Offset', width: 20, cell: (row) => row.consumerOffset },
    ...(owners === undefined ? [] : [owner]),
    { title: '#Diff', width: 20, cell: (row) => row.brokerOffset - row.consumerOffset },
    { title: '#Inflight', width: 20, cell: inflightOf },
    {
      ...{ title: '#LastTime', width: 0 },
      cell: (row) => (row.lastTimestamp > 0 ? timeText(row.lastTimestamp) : 'N/A'),
    },
  ]
}

export const consumerProgressVerb = verb({
  name: 'consumerProgress',
  description: "Query consumer's progress, speed.",
  options: {
    groupName: text('g', 'the group; all groups at a glance when absent'),
    topicName: text('t', 'only this topic'),
    showClientIP: truth('s', 'whether to show which client has each queue (false)'),
    cluster: text('c', 'topic whose route is used when -t is given and has none'),
  },
  async run(context, { groupName, topicName, showClientIP, cluster }) {
    if (groupName === undefined) return allGroups(context)
    const scope = { topic: topicName, routeTopic: cluster }
    const progress = await consumerProgress(context.client, groupName, scope)
    const owners = showClientIP === true ? await queueOwners(context.client, groupName) : undefined
    return oneGroup(context, progress, owners)
  },
})

async function allGroups({ client }: VerbContext): Promise<Output> {
  const rows = await groupSummaries(client)
  return { lines: formatTable(groupColumns, rows), json: rows }
}

function oneGroup(
  { timeText }: VerbContext,
  progress: Progress,
  owners: ReadonlyMap<string, string> | undefined,
): Output {
  const diffTotal = diffTotalOf(progress.queues)
  const inflightTotal = progress.queues.reduce((sum, row) => sum + inflightOf(row), 0)
  const lines = [
    ...formatTable(queueColumns(timeText, owners), progress.queues),
    '',
    `Consume TPS: ${progress.consumeTps.toFixed(2)}`,
    `Consume Diff Total: ${diffTotal}`,
    `Consume Inflight Total: ${inflightTotal}`,
  ]
  return { lines, json: { ...progress, owners, diffTotal, inflightTotal } }
}

function versionText({ version }: GroupSummary): string {
  return version === undefined ? 'OFFLINE' : versionName(version)
}

function typeText({ consumeType }: GroupSummary): string {
  if (consumeType === undefined) return ''
  return consumeType === 'CONSUME_ACTIVELY' ? 'PULL' : 'PUSH'
}
