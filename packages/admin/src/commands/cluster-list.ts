/** `mqadmin clusterList`: the brokers and how they are. */
import { clusterList, type ReplicaStatus } from '../operations/cluster-list.ts'
import { flag, text, whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

const HOUR_MS = 3_600_000

/** Numbers that a broker tells as texts; 0 when it does not. */
function number(row: ReplicaStatus, key: string): number {
  const value = Number(row.runtime.get(key) ?? 0)
  return Number.isFinite(value) ? value : 0
}

/** The first of the rates over 10 s, 1 min and 10 min. */
function rate(row: ReplicaStatus, key: string): string {
  const [first = '0'] = (row.runtime.get(key) ?? '').trim().split(' ')
  return Number(first || 0)
    .toFixed(2)
    .padStart(9)
}

function load(row: ReplicaStatus, key: string): string {
  const size = number(row, `${key}ThreadPoolQueueSize`)
  return `${size},${number(row, `${key}ThreadPoolQueueHeadWaitTimeMills`)}ms`
}

function timer(row: ReplicaStatus): string {
  const behind = `${number(row, 'timerReadBehind')}-${number(row, 'timerOffsetBehind')}`
  const congested = (number(row, 'timerCongestNum') / 10_000).toFixed(1)
  const [enqueued, dequeued] = ['timerEnqueueTps', 'timerDequeueTps'].map((key) =>
    number(row, key).toFixed(1),
  )
  return `${behind}(${congested}w, ${enqueued}, ${dequeued})`
}

/** Age of the first message that is still there, in hours. */
function hours(row: ReplicaStatus, nowMs: number): string {
  const earliestMs = number(row, 'earliestMessageTimeStamp')
  return earliestMs > 0 ? ((nowMs - earliestMs) / HOUR_MS).toFixed(2) : '0.00'
}

function statusColumns(nowMs: number): readonly Column<ReplicaStatus>[] {
  return [
    { title: '#Cluster Name', width: 22, cell: (row) => row.clusterName },
    { title: '#Broker Name', width: 22, cell: (row) => row.brokerName },
    { title: '#BID', width: 4, cell: (row) => row.brokerId },
    { title: '#Addr', width: 22, cell: (row) => row.address },
    { title: '#Version', width: 16, cell: (row) => row.runtime.get('brokerVersionDesc') ?? '' },
    {
      ...{ title: '#InTPS(LOAD)', width: 16, align: 'right' },
      cell: (row) => `${rate(row, 'putTps')}(${load(row, 'send')})`,
    },
    {
      ...{ title: '#OutTPS(LOAD)', width: 30, align: 'right' },
      cell: (row) => `${rate(row, 'getTransferredTps')}(${load(row, 'pull')}|${load(row, 'ack')})`,
    },
    { title: '#Timer(Progress)', width: 22, cell: timer },
    { title: '#PCWait(ms)', width: 11, cell: (row) => number(row, 'pageCacheLockTimeMills') },
    { title: '#Hour', width: 12, cell: (row) => hours(row, nowMs) },
    {
      ...{ title: '#SPACE', width: 8 },
      cell: (row) => number(row, 'commitLogDiskRatio').toFixed(4),
    },
    { title: '#ACTIVATED', width: 10, cell: (row) => row.runtime.get('brokerActive') ?? 'false' },
  ]
}

/** Messages between two of the broker's counters. */
function between(from: string, to: string): (row: ReplicaStatus) => number {
  return (row) => number(row, to) - number(row, from)
}

const totalColumns: readonly Column<ReplicaStatus>[] = [
  { title: '#Cluster Name', width: 16, cell: (row) => row.clusterName },
  { title: '#Broker Name', width: 32, cell: (row) => row.brokerName },
  {
    ...{ title: '#InTotalYest', width: 14, align: 'right' },
    cell: between('msgPutTotalYesterdayMorning', 'msgPutTotalTodayMorning'),
  },
  {
    ...{ title: '#OutTotalYest', width: 14, align: 'right' },
    cell: between('msgGetTotalYesterdayMorning', 'msgGetTotalTodayMorning'),
  },
  {
    ...{ title: '#InTotalToday', width: 14, align: 'right' },
    cell: between('msgPutTotalTodayMorning', 'msgPutTotalTodayNow'),
  },
  {
    ...{ title: '#OutTotalToday', width: 14, align: 'right' },
    cell: between('msgGetTotalTodayMorning', 'msgGetTotalTodayNow'),
  },
]

export const clusterListVerb = verb({
  name: 'clusterList',
  description: 'List cluster infos.',
  options: {
    moreStats: flag('m', 'print how many messages came and went'),
    interval: whole('i', 'print again every so many seconds', 1),
    clusterName: text('c', 'only this cluster'),
  },
  repeatSeconds: ({ interval }) => interval,
  async run({ client }, { moreStats, clusterName }) {
    const rows = await clusterList(client, clusterName)
    const columns = moreStats ? totalColumns : statusColumns(client.host.clock.nowMs())
    const problems = rows.flatMap(({ problem }) => (problem === undefined ? [] : [problem]))
    return { lines: [...formatTable(columns, rows), ...problems], json: rows }
  },
})
