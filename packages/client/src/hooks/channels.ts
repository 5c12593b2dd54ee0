/**
 * The same moments for observers within the process that know nothing of our options: channels of
 * `node:diagnostics_channel`. Something is published only where somebody has subscribed.
 *
 *   rockhopper.client.send.start        a Sending
 *   rockhopper.client.send.end          { sending: Sending, end: SendEnd }
 *   rockhopper.client.transaction.end   a TransactionEnd
 *   rockhopper.client.consume.start     a Consuming
 *   rockhopper.client.consume.end       { consuming: Consuming, end: ConsumeEnd }
 *
 * Owns nothing: the channels are the process's.
 */
import { channel } from 'node:diagnostics_channel'
import type { ConsumerHook, ProducerHook } from './hook.ts'

const sendStart = channel('rockhopper.client.send.start')
const sendEnd = channel('rockhopper.client.send.end')
const transactionEnd = channel('rockhopper.client.transaction.end')
const consumeStart = channel('rockhopper.client.consume.start')
const consumeEnd = channel('rockhopper.client.consume.end')

/** Whether somebody wants to know of sends now. */
export function areSendsObserved(): boolean {
  return sendStart.hasSubscribers || sendEnd.hasSubscribers
}

/** Whether somebody wants to know of handlers now. */
export function areHandlersObserved(): boolean {
  return consumeStart.hasSubscribers || consumeEnd.hasSubscribers
}

export const producerChannels: ProducerHook = {
  name: 'diagnostics_channel',
  beforeSend(sending) {
    if (sendStart.hasSubscribers) sendStart.publish(sending)
  },
  afterSend(sending, end) {
    if (sendEnd.hasSubscribers) sendEnd.publish({ sending, end })
  },
  endTransaction(end) {
    if (transactionEnd.hasSubscribers) transactionEnd.publish(end)
  },
}

export const consumerChannels: ConsumerHook = {
  name: 'diagnostics_channel',
  beforeConsume(consuming) {
    if (consumeStart.hasSubscribers) consumeStart.publish(consuming)
  },
  afterConsume(consuming, end) {
    if (consumeEnd.hasSubscribers) consumeEnd.publish({ consuming, end })
  },
}
