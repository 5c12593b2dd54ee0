/** `mqadmin consumeMessage`: shows messages of a topic; no offset of any group moves. */
import { AdminError } from '../errors.ts'
import { type ReadQueue, readMessages } from '../operations/consume-message.ts'
import type { SeenMessage } from '../operations/message.ts'
import { required, text, whole } from '../options.ts'
import { type VerbContext, verb } from '../verb.ts'

/** A group that every broker knows. */
const TOOLS_GROUP = 'TOOLS_CONSUMER'
const DEFAULT_COUNT = 128

export const consumeMessageVerb = verb({
  name: 'consumeMessage',
  description: 'Consume message.',
  options: {
    topic: required(text('t', 'name of the topic')),
    brokerName: text('b', 'only the queues of this broker'),
    offset: whole('o', 'start at this offset of the queue'),
    queueId: whole('i', 'only this queue of the broker'),
    consumerGroup: text('g', `group in whose name is read (${TOOLS_GROUP})`),
    beginTimestamp: text('s', 'stored from then on: ms since 1970 or yyyy-MM-dd#HH:mm:ss:SSS'),
    endTimestamp: text('e', 'stored until then'),
    messageNumber: text('c', `most messages of each queue (${DEFAULT_COUNT})`),
  },
  async run(context, options) {
    const scope = {
      topic: options.topic,
      brokerName: options.brokerName,
      queueId: options.queueId,
      offset: options.offset,
      beginMs: timeOf(context, 'beginTimestamp', options.beginTimestamp),
      endMs: timeOf(context, 'endTimestamp', options.endTimestamp),
      count: countOf(options.messageNumber),
      group: options.consumerGroup ?? TOOLS_GROUP,
    }
    if (scope.queueId !== undefined && scope.brokerName === undefined) {
      throw new AdminError('Please set the brokerName before queueId!')
    }
    if (scope.offset !== undefined && scope.queueId === undefined) {
      throw new AdminError('Please set queueId before offset!')
    }
    const queues = await readMessages(context.client, scope)
    return { lines: queues.flatMap((read) => linesOf(read, scope.count)), json: queues }
  },
})

function timeOf(
  { client, timeOf: read }: VerbContext,
  name: string,
  given: string | undefined,
): number | undefined {
  if (given === undefined) return undefined
  const timeMs = /^\d{1,15}$/.test(given) ? Number(given) : read(given)
  if (timeMs === undefined) {
    throw new AdminError(
      `The ${name} "${given}" is no time: write ms since 1970 or yyyy-MM-dd#HH:mm:ss:SSS.`,
    )
  }
  if (timeMs <= client.host.clock.nowMs()) return timeMs
  throw new AdminError(`Please set the ${name} before now!`)
}

function countOf(given: string | undefined): number {
  const count = given === undefined ? DEFAULT_COUNT : Number(given)
  if (Number.isSafeInteger(count) && count > 0) return count
  throw new AdminError('Please input a positive messageNumber!')
}

function linesOf({ queue, more, messages }: ReadQueue, count: number): string[] {
  const { topic, queueId } = queue
  return [
    ...(more
      ? [`${topic} The older ${count} message of the ${queueId} queue will be provided`]
      : []),
    ...(messages.length > 0 ? ['Consume ok'] : []),
    ...messages.map(
      (message) => `MSGID: ${message.msgId} ${textOf(message)} BODY: ${bodyOf(message)}`,
    ),
  ]
}

function bodyOf({ body, bodyBase64 }: SeenMessage): string {
  return bodyBase64 === undefined ? body : `(base64) ${bodyBase64}`
}

/** The message as Apache's class MessageExt prints it, without the bytes of the body. */
function textOf(message: SeenMessage): string {
  const properties = [...message.properties].map(([name, value]) => `${name}=${value}`).join(', ')
  return (
    `MessageExt [brokerName=${message.brokerName}, queueId=${message.queueId}, ` +
    `storeSize=${message.storeSize}, queueOffset=${message.queueOffset}, ` +
    `sysFlag=${message.sysFlag}, bornTimestamp=${message.bornTimestamp}, ` +
    `bornHost=/${message.bornHost}, storeTimestamp=${message.storeTimestamp}, ` +
    `storeHost=/${message.storeHost}, msgId=${message.offsetMsgId}, ` +
    `commitLogOffset=${message.commitLogOffset}, bodyCRC=${message.bodyCrc}, ` +
    `reconsumeTimes=${message.reconsumeTimes}, ` +
    `preparedTransactionOffset=${message.preparedTransactionOffset}, ` +
    `toString()=Message{topic='${message.topic}', flag=${message.flag}, ` +
    `properties={${properties}}}]`
  )
}
