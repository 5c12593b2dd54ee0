/** The verbs that put groups to other offsets. */
import type { MessageQueue } from '@rockhopper/protocol'
import { AdminError } from '../errors.ts'
import {
  cloneOffsets,
  type ResetScope,
  type Rollback,
  resetOffsets,
  resetQueue,
  TO_END,
} from '../operations/reset-offset.ts'
import { required, text, truth, whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { type Output, type VerbContext, verb } from '../verb.ts'

type Row = readonly [MessageQueue, number]

const columns: readonly Column<Row>[] = [
  { title: '#brokerName', width: 40, cutAt: 32, cell: ([queue]) => queue.brokerName },
  { title: '#queueId', width: 40, cell: ([queue]) => queue.queueId },
  { title: '#offset', width: 40, cell: ([, offset]) => offset },
]

function rollbackColumns(last: string): readonly Column<Rollback>[] {
  return [
    { title: '#brokerName', width: 20, cutAt: 32, cell: ({ queue }) => queue.brokerName },
    { title: '#queueId', width: 20, cell: ({ queue }) => queue.queueId },
    { title: '#brokerOffset', width: 20, cell: (row) => row.brokerOffset },
    { title: '#consumerOffset', width: 20, cell: (row) => row.consumerOffset },
    { title: '#timestampOffset', width: 20, cell: (row) => row.timestampOffset },
    { title: last, width: 20, cell: (row) => row.resetOffset },
  ]
}

const group = required(text('g', 'name of the consumer group'))
const topic = required(text('t', 'name of the topic'))
const force = truth('f', 'whether offsets may move forward, asked by old brokers only (true)')
const cluster = text('c', 'topic whose route is used when -t has none')

export const resetOffsetByTimeVerb = verb({
  name: 'resetOffsetByTime',
  description: 'Reset consumer offset by timestamp(without client restart).',
  options: {
    ...{ group, topic },
    timestamp: required(text('s', 'now, ms since 1970, or yyyy-MM-dd#HH:mm:ss:SSS')),
    force,
    broker: text('b', 'with -q: the broker of the queue, ip:port'),
    queue: whole('q', 'with -b: only this queue'),
    offset: whole('o', 'with -b and -q: this offset, whatever -s says'),
    cluster,
  },
  async run(context, options) {
    const timeMs = timeOf(context, options.timestamp)
    const scope = scopeOf(options, timeMs)
    const { broker, offset, queue } = options
    if (broker !== undefined && queue !== undefined) {
      return oneQueue(context, scope, options.timestamp, { broker, queue, offset })
    }
    if (offset !== undefined || queue !== undefined) {
      throw new AdminError('An offset is that of one queue: name the broker with -b, the queue -q.')
    }
    const { offsets, rollbacks } = await resetOffsets(context.client, scope)
    const said = `topic[${scope.topic}], force[${scope.force}], ${times(options.timestamp, timeMs)}`
    const lines: string[] = []
    if (offsets.length > 0 || rollbacks.length === 0) {
      lines.push(`start reset consumer offset by specified, group[${scope.group}], ${said}`)
      lines.push(...formatTable(columns, offsets))
    }
    if (rollbacks.length > 0) {
      lines.push(`reset consumer offset by specified consumerGroup[${scope.group}], ${said}`)
      lines.push(...formatTable(rollbackColumns('#resetOffset'), rollbacks))
    }
    return { lines, json: { offsets: rowsOf(offsets), rollbacks } }
  },
})

export const skipAccumulatedMessageVerb = verb({
  name: 'skipAccumulatedMessage',
  description: 'Skip all messages that are accumulated (not consumed) currently.',
  options: { group, topic, force, cluster },
  async run({ client }, options) {
    const { offsets, rollbacks } = await resetOffsets(client, scopeOf(options, TO_END))
    const lines = [
      ...(offsets.length > 0 || rollbacks.length === 0 ? formatTable(columns, offsets) : []),
      ...(rollbacks.length > 0 ? formatTable(rollbackColumns('#rollbackOffset'), rollbacks) : []),
    ]
    return { lines, json: { offsets: rowsOf(offsets), rollbacks } }
  },
})

export const cloneGroupOffsetVerb = verb({
  name: 'cloneGroupOffset',
  description: 'Clone offset from other group.',
  options: {
    srcGroup: required(text('s', 'group whose offsets are taken')),
    destGroup: required(text('d', 'group that gets them')),
    topic,
    offline: truth('o', 'whether the source may have ended its subscription (false)'),
  },
  async run({ client }, { destGroup, offline = false, srcGroup, topic: name }) {
    const scope = { srcGroup, destGroup, topic: name, offline }
    const { brokers } = await cloneOffsets(client, scope)
    const said = `srcGroup[${srcGroup}], destGroup=[${destGroup}], topic[${name}]`
    return { lines: [`clone group offset success. ${said}`], json: { ...scope, brokers } }
  },
})

function scopeOf(
  options: { group: string; topic: string; force?: boolean; cluster?: string },
  timeMs: number,
): ResetScope {
  const { cluster: routeTopic, force: forced = true, group: name } = options
  return { group: name, topic: options.topic, timeMs, force: forced, routeTopic }
}

async function oneQueue(
  { client }: VerbContext,
  scope: ResetScope,
  timeText: string,
  { broker, offset, queue }: { broker: string; queue: number; offset: number | undefined },
): Promise<Output> {
  const reset = await resetQueue(client, broker, scope, queue, offset)
  const lines = [
    `start reset consumer offset by specified, group[${scope.group}], topic[${scope.topic}], ` +
      `queueId[${queue}], broker[${broker}], ${times(timeText, scope.timeMs)}`,
    `reset consumer offset to ${reset}`,
  ]
  return { lines, json: { queue, broker, offset: reset } }
}

function times(given: string, timeMs: number): string {
  return `timestamp(string)[${given}], timestamp(long)[${timeMs}]`
}

/** Throws `AdminError` for what is no time. */
function timeOf({ client, timeOf: read }: VerbContext, given: string): number {
  if (given === 'now') return client.host.clock.nowMs()
  const timeMs = /^(-1|\d{1,15})$/.test(given) ? Number(given) : read(given)
  if (timeMs !== undefined) return timeMs
  throw new AdminError(
    `The timestamp "${given}" is no time: write now, ms since 1970 or yyyy-MM-dd#HH:mm:ss:SSS.`,
  )
}

function rowsOf(offsets: readonly Row[]): unknown[] {
  return offsets.map(([queue, offset]) => ({ ...queue, offset }))
}
