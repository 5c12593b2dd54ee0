/** `mqadmin recallMessage`: calls off a message that waits for its time. */
import { type Recalled, recallMessage } from '../operations/recall-message.ts'
import { required, text } from '../options.ts'
import { type Column, formatTable } from '../table.ts'
import { verb } from '../verb.ts'

export const recallMessageVerb = verb({
  name: 'recallMessage',
  description: 'Call off a message that waits for its time, by its recall handle.',
  options: {
    recallHandle: required(text('r', 'recall handle, as listPendingTimers or a SendResult has it')),
    topic: text('t', 'name of the topic, to be sure that the handle is of it'),
  },
  async run({ client, timeText }, { recallHandle, topic }) {
    const recalled = await recallMessage(client, recallHandle, topic)
    return { lines: formatTable(columnsOf(timeText), [recalled]), json: recalled }
  },
})

function columnsOf(timeText: (timeMs: number) => string): readonly Column<Recalled>[] {
  return [
    { title: '#Topic', width: 32, cell: ({ topic }) => topic },
    { title: '#Broker Name', width: 32, cell: ({ brokerName }) => brokerName },
    { title: '#Was Due', width: 24, cell: ({ dueTimestamp }) => timeText(dueTimestamp) },
    { title: '#MsgId', width: 0, cell: ({ msgId }) => msgId },
  ]
}
