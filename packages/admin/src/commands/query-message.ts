/** The verbs that look single messages up. */
import type { AdminClient } from '../admin-client.ts'
import { AdminError } from '../errors.ts'
import {
  consumeDirectly,
  type MessageTrack,
  messageById,
  messageByOffset,
  messagesByKey,
  messagesByUniqueKey,
  messageTracks,
} from '../operations/find-message.ts'
import type { SeenMessage } from '../operations/message.ts'
import { flag, required, text, whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { type Output, type VerbContext, verb } from '../verb.ts'
import { writeBytes } from '../written-file.ts'

/** Where Apache's tools leave the bodies of messages. */
const BODY_DIRECTORY = '/tmp/rocketmq/msgbodys'

const topic = required(text('t', 'name of the topic'))
const cluster = text('c', 'topic whose route is used when -t has none')
const directly = {
  consumerGroup: text('g', 'with -d: group that is to consume the message now'),
  clientId: text('d', 'with -g: client of the group that is to consume it'),
}

export const queryMsgByIdVerb = verb({
  name: 'queryMsgById',
  description: 'Query Message by Id.',
  options: {
    topic,
    msgId: required(text('i', 'ids of messages, joined by commas')),
    ...directly,
    bodyFormat: text('f', 'print the body as text of this charset (UTF-8)'),
    cluster,
  },
  async run(context, { bodyFormat, clientId, cluster: routeTopic, consumerGroup, ...options }) {
    const found: SeenMessage[] = []
    for (const id of options.msgId.split(',').flatMap((word) => word.trim() || [])) {
      const message = await messageById(context.client, options.topic, id, routeTopic)
      if (message === undefined) throw notFound(`the id "${id}"`, options.topic)
      found.push(message)
    }
    return consumerGroup !== undefined && clientId !== undefined
      ? consumedBy(context.client, found, consumerGroup, clientId)
      : shown(context, found, { withId: true, withBody: bodyFormat !== undefined })
  },
})

export const queryMsgByUniqueKeyVerb = verb({
  name: 'queryMsgByUniqueKey',
  description: 'Query Message by Unique key.',
  options: {
    topic,
    msgId: required(text('i', 'unique key of the message')),
    ...directly,
    showAll: flag('a', 'show all copies, not only the first'),
    cluster,
  },
  async run(context, { clientId, cluster: routeTopic, consumerGroup, msgId, showAll, ...options }) {
    const all = await messagesByUniqueKey(context.client, options.topic, msgId, routeTopic)
    if (all.length === 0) throw notFound(`the unique key "${msgId}"`, options.topic)
    const found = showAll === true ? all : all.slice(0, 1)
    return consumerGroup !== undefined && clientId !== undefined
      ? consumedBy(context.client, found.slice(0, 1), consumerGroup, clientId)
      : shown(context, found, { withId: false, withBody: false })
  },
})

export const queryMsgByOffsetVerb = verb({
  name: 'queryMsgByOffset',
  description: 'Query Message by offset.',
  options: {
    topic,
    brokerName: required(text('b', 'name of the broker')),
    queueId: required(whole('i', 'number of the queue')),
    offset: required(whole('o', 'offset in the queue')),
    bodyFormat: text('f', 'print the body as text of this charset (UTF-8)'),
  },
  async run(context, { bodyFormat, ...place }) {
    const message = await messageByOffset(context.client, place)
    if (message === undefined) {
      throw notFound(`offset ${place.offset} of queue ${place.queueId}`, place.topic)
    }
    return shown(context, [message], { withId: true, withBody: bodyFormat !== undefined })
  },
})

const keyColumns: readonly Column<SeenMessage>[] = [
  { title: '#Message ID', width: 50, cell: ({ msgId }) => msgId },
  { title: '#QID', width: 4, align: 'right', cell: ({ queueId }) => queueId },
  { title: '#Offset', width: 40, align: 'right', cell: ({ queueOffset }) => queueOffset },
]

export const queryMsgByKeyVerb = verb({
  name: 'queryMsgByKey',
  description: 'Query Message by Key.',
  options: {
    topic,
    msgKey: required(text('k', 'a word of the keys of the message')),
    beginTimestamp: whole('b', 'stored from then on, ms since 1970'),
    endTimestamp: whole('e', 'stored until then, ms since 1970'),
    maxNum: whole('m', 'most messages of each broker (64)', 1),
    cluster,
  },
  async run({ client }, options) {
    const found = await messagesByKey(client, {
      topic: options.topic,
      key: options.msgKey,
      maxNum: options.maxNum ?? 64,
      beginMs: options.beginTimestamp ?? 0,
      endMs: options.endTimestamp ?? Number.MAX_SAFE_INTEGER,
      routeTopic: options.cluster,
    })
    return { lines: formatTable(keyColumns, found), json: found }
  },
})

async function consumedBy(
  client: AdminClient,
  messages: readonly SeenMessage[],
  group: string,
  clientId: string,
): Promise<Output> {
  const results = []
  for (const message of messages) {
    results.push(await consumeDirectly(client, message, group, clientId))
  }
  const lines = results.map(({ autoCommit, consumeResult, order, remark, spentTimeMills }) => {
    return (
      `ConsumeMessageDirectlyResult [order=${order}, autoCommit=${autoCommit}, ` +
      `consumeResult=${consumeResult}, remark=${remark ?? 'null'}, spentTimeMills=${spentTimeMills}]`
    )
  })
  return { lines, json: results }
}

interface Details {
  readonly withId: boolean
  readonly withBody: boolean
}

async function shown(
  context: VerbContext,
  messages: readonly SeenMessage[],
  details: Details,
): Promise<Output> {
  const lines: string[] = []
  const json: unknown[] = []
  for (const message of messages) {
    const bytes = bodyOf(message)
    const path = { directory: BODY_DIRECTORY, name: message.msgId }
    const bodyPath = writeBytes(context.client.host.disk, path, bytes)
    const tracks = await messageTracks(context.client, message)
    lines.push(...messageLines(context, message, bodyPath, details), '', '', ...trackLines(tracks))
    json.push({ ...message, bodyPath, tracks })
  }
  return { lines, json }
}

function messageLines(
  { timeText }: VerbContext,
  message: SeenMessage,
  bodyPath: string,
  { withBody, withId }: Details,
): string[] {
  const { properties } = message
  const rows: [string, string | number][] = [
    ...(withId ? [['OffsetID:', message.offsetMsgId] as [string, string]] : []),
    ['Topic:', message.topic],
    ['Tags:', `[${properties.get('TAGS') ?? 'null'}]`],
    ['Keys:', `[${properties.get('KEYS') ?? 'null'}]`],
    ['Queue ID:', message.queueId],
    ['Queue Offset:', message.queueOffset],
    ['CommitLog Offset:', message.commitLogOffset],
    ['Reconsume Times:', message.reconsumeTimes],
    ['Born Timestamp:', timeText(message.bornTimestamp)],
    ['Store Timestamp:', timeText(message.storeTimestamp)],
    ['Born Host:', message.bornHost],
    ['Store Host:', message.storeHost],
    ['System Flag:', message.sysFlag],
    ['Properties:', `{${[...properties].map(([key, value]) => `${key}=${value}`).join(', ')}}`],
    ['Message Body Path:', bodyPath],
    ...(withBody ? [['Message Body:', message.body] as [string, string]] : []),
  ]
  return rows.map(([label, value]) => `${label.padEnd(20)} ${value}`)
}

function trackLines(tracks: readonly MessageTrack[]): string[] {
  if (tracks.length === 0) return ['WARN: No Consumer']
  return tracks.map(
    ({ group, problem, trackType }) =>
      `MessageTrack [consumerGroup=${group}, trackType=${trackType}, ` +
      `exceptionDesc=${problem ?? 'null'}]`,
  )
}

function bodyOf({ body, bodyBase64 }: SeenMessage): Buffer {
  return bodyBase64 === undefined ? Buffer.from(body) : Buffer.from(bodyBase64, 'base64')
}

function notFound(what: string, name: string): AdminError {
  return new AdminError(
    `Message not found! There is none with ${what} in topic "${name}", or it has been removed.`,
  )
}
