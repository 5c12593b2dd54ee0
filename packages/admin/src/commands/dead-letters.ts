/**
 * The verbs of dead letters: see what a group has given up, and have chosen ones consumed again. Not
 * among Apache's. A letter stays where it is until it is too old: who sends it again twice, sends two.
 */
import type { DeadLetter } from '@rockhopper/client'
import { AdminError } from '../errors.ts'
import {
  deadLetters,
  type LetterChoice,
  type Resent,
  resendDeadLetters,
} from '../operations/dead-letters.ts'
import { flag, required, text, whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { type VerbContext, verb } from '../verb.ts'

const DEFAULT_COUNT = 128

const choice = {
  msgId: text('i', 'only these, by their ids joined by commas'),
  beginTimestamp: text('s', 'given up from then on: ms since 1970 or yyyy-MM-dd#HH:mm:ss:SSS'),
  endTimestamp: text('e', 'given up before then'),
}

function letterColumns(timeText: VerbContext['timeText']): readonly Column<DeadLetter>[] {
  return [
    { title: '#Message ID', width: 32, cell: ({ message }) => message.msgId },
    { title: '#Broker Name', width: 16, cell: ({ message }) => message.queue.brokerName },
    { title: '#Offset', width: 10, cell: ({ message }) => message.queueOffset },
    { title: '#Origin Topic', width: 24, cell: ({ originTopic }) => originTopic ?? 'UNKNOWN' },
    { title: '#Tries', width: 6, cell: ({ tries }) => tries },
    { title: '#Given Up', width: 23, cell: ({ diedAtMs }) => timeText(diedAtMs) },
    { title: '#Last Error', width: 0, cell: ({ lastError }) => lastError ?? '' },
  ]
}

const resentColumns: readonly Column<Resent>[] = [
  { title: '#Message ID', width: 32, cell: ({ letter }) => letter.message.msgId },
  { title: '#Topic', width: 32, cell: ({ result }) => result.queue.topic },
  { title: '#Broker Name', width: 16, cell: ({ result }) => result.queue.brokerName },
  { title: '#QID', width: 4, cell: ({ result }) => result.queue.queueId },
  { title: '#Offset', width: 10, cell: ({ result }) => result.queueOffset },
  { title: '#Send Result', width: 0, cell: ({ result }) => result.status },
]

export const listDeadLettersVerb = verb({
  name: 'listDeadLetters',
  description: 'List the messages that a group has given up.',
  options: {
    group: required(text('g', 'name of the consumer group')),
    ...choice,
    count: whole('c', `most messages (${DEFAULT_COUNT})`, 1),
  },
  async run(context, { count = DEFAULT_COUNT, group, ...options }) {
    const letters = await deadLetters(context.client, group, choiceOf(context, options), count)
    return {
      lines: formatTable(letterColumns(context.timeText), letters),
      json: letters.map(plain),
    }
  },
})

export const resendDeadLettersVerb = verb({
  name: 'resendDeadLetters',
  description: 'Send messages again that a group has given up: name them, a time, or all.',
  options: {
    group: required(text('g', 'name of the consumer group')),
    ...choice,
    all: flag('a', 'all of them'),
    toTopic: flag(
      'o',
      'to the topic they were sent to, for all its groups; not to this group alone',
    ),
    dryRun: flag('d', 'only show which ones'),
  },
  async run(context, { all, dryRun, group, toTopic, ...options }) {
    const wanted = choiceOf(context, options)
    const says = Object.values(wanted).some((value) => value !== undefined)
    if (says === (all === true)) {
      throw new AdminError(
        'Say which dead letters to send again: ids with -i, a time with -s and -e, or all with -a.',
      )
    }
    if (dryRun === true) {
      const letters = await deadLetters(context.client, group, wanted, Number.POSITIVE_INFINITY)
      const lines = formatTable(letterColumns(context.timeText), letters)
      return {
        lines: [...lines, '', `${letters.length} would be sent again.`],
        json: letters.map(plain),
      }
    }
    const target = toTopic === true ? 'topic' : 'group'
    const resent = await resendDeadLetters(context.client, group, wanted, target)
    return {
      lines: [...formatTable(resentColumns, resent), '', `${resent.length} were sent again.`],
      json: resent.map(({ letter, result }) => ({ letter: plain(letter), result })),
    }
  },
})

function choiceOf(
  context: VerbContext,
  options: { msgId?: string; beginTimestamp?: string; endTimestamp?: string },
): LetterChoice {
  const ids = options.msgId?.split(',').flatMap((id) => id.trim() || [])
  const fromMs = timeOf(context, options.beginTimestamp)
  const toMs = timeOf(context, options.endTimestamp)
  return {
    ...(ids === undefined ? {} : { ids }),
    ...(fromMs === undefined ? {} : { fromMs }),
    ...(toMs === undefined ? {} : { toMs }),
  }
}

function timeOf({ timeOf: read }: VerbContext, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const timeMs = /^\d{1,15}$/.test(given) ? Number(given) : read(given)
  if (timeMs !== undefined) return timeMs
  throw new AdminError(
    `The time "${given}" is none: write ms since 1970 or yyyy-MM-dd#HH:mm:ss:SSS.`,
  )
}

function plain(letter: DeadLetter): unknown {
  const { message, ...rest } = letter
  return {
    ...rest,
    ...{ msgId: message.msgId, offsetMsgId: message.offsetMsgId, queue: message.queue },
    ...{ queueOffset: message.queueOffset, properties: message.properties },
    bodyBytes: message.body.length,
  }
}
