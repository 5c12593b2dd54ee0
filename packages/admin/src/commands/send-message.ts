/** `mqadmin sendMessage`: sends one message. */
import type { SendResult } from '@rockhopper/client'
import { AdminError } from '../errors.ts'
import { sendMessage } from '../operations/send-message.ts'
import { required, text, truth, verbatim, whole } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

const columns: readonly Column<SendResult>[] = [
  { title: '#Broker Name', width: 32, cell: ({ queue }) => queue.brokerName },
  { title: '#QID', width: 4, cell: ({ queue }) => queue.queueId },
  { title: '#Send Result', width: 20, cell: ({ status }) => status },
  { title: '#MsgId', width: 0, cell: ({ msgId }) => msgId },
]

export const sendMessageVerb = verb({
  name: 'sendMessage',
  description: 'Send a message.',
  options: {
    topic: required(text('t', 'name of the topic')),
    body: required(verbatim('p', 'body of the message, as UTF-8')),
    keys: text('k', 'words to find the message by, separated by blanks'),
    tags: text('c', 'tag of the message'),
    broker: text('b', 'send to this broker only, by its name'),
    qid: whole('i', 'send to this queue of the broker'),
    msgTraceEnable: truth('m', 'whether to leave a trace of the message (false)'),
  },
  async run({ client }, { topic, body, keys, tags, broker, qid, msgTraceEnable }) {
    if (qid !== undefined && broker === undefined) {
      throw new AdminError('A queue is a queue of a broker: name the broker with -b as well.')
    }
    const message = {
      ...{ topic, body },
      ...(keys === undefined ? {} : { keys: keys.split(/\s+/) }),
      ...(tags === undefined ? {} : { tag: tags }),
    }
    const result = await sendMessage(client, message, {
      ...{ brokerName: broker, queueId: qid, messageTrace: msgTraceEnable },
    })
    return { lines: formatTable(columns, [result]), json: result }
  },
})
