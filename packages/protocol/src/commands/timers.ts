/**
 * Messages that wait for a time of their own: calling one off, and how delivery stands.
 * Source: Apache classes RecallMessageProcessor, AdminBrokerProcessor; `broker-api.md` 3.7 and 15.1.
 */
import { command } from '../command.ts'
import { name, optional, renamed, text } from '../field.ts'

/** Calls off a message that is not due yet. */
export const RECALL_MESSAGE = command(370, 'RECALL_MESSAGE', {
  request: {
    producerGroup: optional(name('group of the producer')),
    topic: name('topic of the message'),
    recallHandle: text('what the answer to the send had under this name'),
    brokerName: renamed('bname', optional(name('broker that has the message'))),
  },
  answer: {
    msgId: text('unique key of the message'),
    regionId: renamed('MSG_REGION', optional(text('region of the broker'))),
  },
})

/** Answer body: seven numbers of 64 bits, as in the file `config/timercheck`. */
export const GET_TIMER_CHECK_POINT = command(60, 'GET_TIMER_CHECK_POINT')

/** Answer body: for each topic, how many of its messages wait, as JSON. */
export const GET_TIMER_METRICS = command(61, 'GET_TIMER_METRICS')
