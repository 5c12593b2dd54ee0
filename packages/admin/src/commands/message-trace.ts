/** `mqadmin queryMsgTraceById`: what became of a message, as its clients wrote it down. */
import { AdminError } from '../errors.ts'
import { type ConsumeTrace, type MessageTrace, messageTrace } from '../operations/message-trace.ts'
import { required, text, whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { type VerbContext, verb } from '../verb.ts'

type TimeText = VerbContext['timeText']

/** One line, about a send or about the end of a handler. */
interface Line {
  readonly type: 'Pub' | 'Sub'
  readonly group: string
  readonly clientHost: string
  readonly timestampMs: number | undefined
  readonly costMs: number
  readonly isSuccess: boolean
}

/** Characters of a time without its milliseconds. */
const SECONDS_CHARS = 19

function columns(groupTitle: string, timeTitle: string, timeText: TimeText): Column<Line>[] {
  const time = (ms: number | undefined): string =>
    ms === undefined ? 'null' : timeText(ms).slice(0, SECONDS_CHARS)
  return [
    { title: '#Type', width: 10, cell: ({ type }) => type },
    { title: groupTitle, width: 20, cell: ({ group }) => group },
    { title: '#ClientHost', width: 20, cell: ({ clientHost }) => clientHost },
    { title: timeTitle, width: 20, cell: ({ timestampMs }) => time(timestampMs) },
    { title: '#CostTimes', width: 10, cell: ({ costMs }) => `${costMs}ms` },
    { title: '#Status', width: 10, cell: ({ isSuccess }) => (isSuccess ? 'success' : 'failed') },
  ]
}

export const queryMsgTraceByIdVerb = verb({
  name: 'queryMsgTraceById',
  description: 'Query a message trace.',
  options: {
    msgId: required(text('i', 'unique key of the message')),
    traceTopic: text('t', 'topic that clients write traces to (RMQ_SYS_TRACE_TOPIC)'),
    beginTimestamp: whole('b', 'written from then on, ms since 1970'),
    endTimestamp: whole('e', 'written until then, ms since 1970'),
    maxNum: whole('c', 'most messages of traces from each broker (64)', 1),
  },
  async run({ client, timeText }, options) {
    const { msgId, traceTopic, maxNum, beginTimestamp: beginMs, endTimestamp: endMs } = options
    const trace = await messageTrace(client, { msgId, traceTopic, maxNum, beginMs, endMs })
    if (Object.values(trace).every((records) => records.length === 0)) {
      throw new AdminError(
        `There is no trace of the message "${msgId}": its clients write none unless they are told to, ` +
          'and write them up to 5 s late.',
      )
    }
    return { lines: linesOf(trace, timeText), json: trace }
  },
})

/** Each send under titles of its own, as Apache's tool has it, and each group with its handlers. */
function linesOf({ sends, consumed }: MessageTrace, timeText: TimeText): string[] {
  const sent = columns('#ProducerGroup', '#SendTime', timeText)
  const handled = columns('#ConsumerGroup', '#ConsumerTime', timeText)
  const byGroup = new Map<string, ConsumeTrace[]>()
  for (const each of consumed) {
    const group = byGroup.get(each.group)
    if (group === undefined) byGroup.set(each.group, [each])
    else group.push(each)
  }
  const blocks = [
    ...sends.map((send) => formatTable(sent, [{ ...send, type: 'Pub' }], ' ')),
    ...[...byGroup.values()].map((group) =>
      formatTable(
        handled,
        group.map((each) => ({ ...each, type: 'Sub' })),
        ' ',
      ),
    ),
  ]
  return blocks.flatMap((block) => [...block, ''])
}
