/**
 * What the ways of handling messages have in common: concurrently (`consume-concurrently.ts`) and in
 * order (`consume-orderly.ts`). Owns nothing.
 */
import type { Clock } from '@rockhopper/host'
import type { Entry, OwnedQueue } from '../balance/owned-queue.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import type { ReplyTo } from '../request-reply/replier.ts'
import type { HandlerContext } from './consume-context.ts'
import type { Handling } from './handlers.ts'

/** Gives messages to handlers. */
export interface Consumption {
  /** Takes new messages of a queue, in the order of their offsets. */
  submit(owned: OwnedQueue, entries: readonly Entry[]): void
  /** Begins what there is room for now. */
  pump(): void
  /** Calls of handlers that are not over. */
  running(): readonly Task[]
  /** Gives up no more handlers and plans no more calls. */
  stop(): void
}

/** What became of a message whose handler failed. */
export type AfterFailure =
  /** The broker has it and delivers it again later, or lays it aside as a dead letter. */
  | 'given back'
  /** The broker did not take it back, but another took a copy for the retry topic of the group. */
  | 'sent again'
  /** No broker took it: it is handled again here in 5 s. */
  | 'kept here'
  /** It is handled again here, before any other message of its queue (orderly consumers). */
  | 'suspended'
  /** It failed as often as it may and was laid aside as a dead letter (orderly consumers). */
  | 'laid aside'
  /** It does not come again (broadcasting). */
  | 'dropped'

/** Told of what handlers did. */
export interface ConsumptionEvents {
  /** Told of each message that failed. */
  readonly onFailed: (message: ReceivedMessage, error: unknown, after: AfterFailure) => void
  /** Told of each call of a handler that is over, at a monotonic time in ms. */
  readonly onHandled: (task: Task, done: number, failed: number, nowMs: number) => void
}

export interface ConsumptionParts extends ConsumptionEvents {
  readonly clock: Clock
  /** Whether another handler may begin beside those that run. */
  readonly hasRoom: (running: number) => boolean
  readonly handlingOf: (topic: string) => Handling
  /** How handlers reply to requests. */
  readonly reply: ReplyTo
}

/** One call of a handler. */
export interface Task {
  readonly owned: OwnedQueue
  readonly entries: readonly Entry[]
  readonly handling: Handling
  /** Monotonic time at which it began, in ms. Written by the consumption only. */
  startMs: number
}

/** The messages from `at` on that one call of a handler takes. */
export function taskAt(
  owned: OwnedQueue,
  entries: readonly Entry[],
  at: number,
  handlingOf: (topic: string) => Handling,
): Task {
  const topic = entries[at]?.message.topic ?? ''
  const handling = handlingOf(topic)
  const limit = handling.kind === 'each' ? 1 : handling.maxSize
  let end = at + 1
  while (end < at + limit && entries[end]?.message.topic === topic) end++
  return { owned, entries: entries.slice(at, end), handling, startMs: 0 }
}

/** The topic of the messages of a task. */
export function topicOf({ entries }: Task): string {
  return entries[0]?.message.topic ?? ''
}

/** Calls the handler. May throw, and what it gives back may reject. */
export function callHandler(
  { handling, entries }: Task,
  context: HandlerContext,
): void | Promise<void> {
  if (handling.kind === 'batch') {
    return handling.handle(
      entries.map((entry) => entry.message),
      context,
    )
  }
  const [entry] = entries
  return entry === undefined ? undefined : handling.handle(entry.message, context)
}

export function isPromise(result: void | Promise<void>): result is Promise<void> {
  return typeof result === 'object' && typeof result?.then === 'function'
}
