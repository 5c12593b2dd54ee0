/**
 * Hands one message to the handler because an operator wants to see what becomes of it: nothing is
 * committed and nothing comes again. Source: Apache class ConsumeMessageConcurrentlyService;
 * `client.md` section 13.3. Owns nothing.
 */
import type { Clock } from '@rockhopper/host'
import type { ConsumeMessageDirectlyResult, DirectConsumeOutcome } from '@rockhopper/protocol'
import { OwnedQueue } from '../balance/owned-queue.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { ReplyTo } from '../request-reply/replier.ts'
import { HandlerContext } from './consume-context.ts'
import { callHandler } from './consumption.ts'
import type { Handling } from './handlers.ts'
import { errorTextOf } from './retry-message.ts'

export interface DirectParts {
  readonly clock: Clock
  readonly orderly: boolean
  readonly handlingOf: (topic: string) => Handling
  readonly reply: ReplyTo
}

/** What became of the message. Never rejects. */
export async function consumeDirectly(
  { clock, orderly: order, handlingOf, reply }: DirectParts,
  message: ReceivedMessage,
): Promise<ConsumeMessageDirectlyResult> {
  const owned = new OwnedQueue(message.queue)
  const context = new HandlerContext(owned, 0, reply)
  const { queueOffset } = message
  const entry = { message, queueOffset, sizeBytes: message.body.length, finished: false }
  const startMs = clock.monotonicMs()
  let consumeResult: DirectConsumeOutcome
  let remark: string | undefined
  try {
    const handling = handlingOf(message.topic)
    await callHandler({ owned, entries: [entry], handling, startMs }, context)
    consumeResult = outcomeOf(context, order)
  } catch (error) {
    consumeResult = 'CR_THROW_EXCEPTION'
    remark = errorTextOf(error)
  }
  const spentTimeMills = Math.round(clock.monotonicMs() - startMs)
  return { order, autoCommit: context.autoCommit, consumeResult, remark, spentTimeMills }
}

function outcomeOf(context: HandlerContext, isOrderly: boolean): DirectConsumeOutcome {
  if (!isOrderly) {
    return context.ackIndex < 0 || context.retried !== undefined ? 'CR_LATER' : 'CR_SUCCESS'
  }
  if (context.wish === 'none') return 'CR_SUCCESS'
  return context.wish === 'commit' ? 'CR_COMMIT' : 'CR_ROLLBACK'
}
