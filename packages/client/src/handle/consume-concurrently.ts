/**
 * Runs handlers, up to a number at a time over all queues, and sees to it that each message is
 * either done or comes again. Source: Apache class ConsumeMessageConcurrentlyService; `client.md`
 * section 6.4. Owns the line of tasks; its length is bounded by the windows of the queues.
 */
import type { Timer } from '@rockhopper/host'
import type { Entry, OwnedQueue } from '../balance/owned-queue.ts'
import { ClientError } from '../errors.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { HandlerContext } from './consume-context.ts'
import {
  type AfterFailure,
  type Consumption,
  type ConsumptionParts,
  callHandler,
  isPromise,
  type Task,
  taskAt,
  topicOf,
} from './consumption.ts'
import { Overdue } from './overdue.ts'

/** Pause before a message that could not be given back is handled again here (Apache: 5 s). */
const HANDLE_AGAIN_MS = 5_000

/** When messages come again whose handler was given up (Apache: level 3, 10 s). */
const DELAY_LEVEL_AFTER_TIMEOUT = 3

/** Tasks that were begun are dropped from the head of the line in steps of this many. */
const COMPACT_FROM = 1024

export interface ConcurrentParts extends ConsumptionParts {
  /** Time after which a handler is given up, in ms: its messages come again. */
  readonly timeoutMs: number
  /** Gives a message away, to come again later. Rejects when nobody took it. */
  readonly giveBack: (
    message: ReceivedMessage,
    delayLevel: number,
    error: unknown,
  ) => Promise<AfterFailure>
}

export class ConcurrentConsumption implements Consumption {
  readonly #parts: ConcurrentParts
  #line: Task[] = []
  /** Index of the next task to begin. */
  #head = 0
  #running = 0
  readonly #overdue: Overdue<Task>
  readonly #again = new Set<Timer>()

  constructor(parts: ConcurrentParts) {
    this.#parts = parts
    this.#overdue = new Overdue(parts.clock, parts.timeoutMs, (task) => this.#giveUp(task))
  }

  submit(owned: OwnedQueue, entries: readonly Entry[]): void {
    for (let at = 0; at < entries.length; ) {
      const task = taskAt(owned, entries, at, this.#parts.handlingOf)
      at += task.entries.length
      this.#line.push(task)
    }
    this.pump()
  }

  pump(): void {
    while (this.#head < this.#line.length && this.#parts.hasRoom(this.#running)) {
      const task = this.#line[this.#head]
      this.#head++
      if (task !== undefined && !task.owned.isReleased) this.#begin(task)
    }
    if (this.#head < COMPACT_FROM && this.#head < this.#line.length) return
    this.#line = this.#line.slice(this.#head)
    this.#head = 0
  }

  running(): readonly Task[] {
    return this.#overdue.watched
  }

  stop(): void {
    this.#overdue.stop()
    for (const timer of this.#again) timer.cancel()
    this.#again.clear()
  }

  #begin(task: Task): void {
    task.startMs = this.#parts.clock.monotonicMs()
    this.#running++
    task.owned.enter()
    const context = new HandlerContext(task.owned, 0, this.#parts.reply)
    let result: void | Promise<void>
    try {
      result = callHandler(task, context)
    } catch (error) {
      this.#fail(task, context.delayLevelWhenNextConsume, error)
      return
    }
    if (isPromise(result)) this.#await(task, context, result)
    else this.#succeed(task, context)
  }

  /** What a handler does after it was given up does not count any more. */
  #await(task: Task, context: HandlerContext, result: Promise<void>): void {
    this.#overdue.watch(task)
    result.then(
      () => {
        if (!this.#overdue.over(task)) return
        this.#succeed(task, context)
        this.pump()
      },
      (error: unknown) => {
        if (this.#overdue.over(task)) this.#fail(task, context.delayLevelWhenNextConsume, error)
      },
    )
  }

  #giveUp(task: Task): void {
    const { timeoutMs } = this.#parts
    const sentence = `a handler of the topic "${topicOf(task)}" was not done after ${timeoutMs} ms`
    const hint = 'see what it waits for, or raise consumeTimeoutMs'
    const error = new ClientError('TIMEOUT', sentence, { retryable: true, hint })
    this.#fail(task, DELAY_LEVEL_AFTER_TIMEOUT, error)
  }

  #succeed(task: Task, context: HandlerContext): void {
    if (task.entries.length > context.ackIndex + 1 || context.retried !== undefined) {
      this.#endLater(task, this.#acknowledge(task, context))
      return
    }
    for (const entry of task.entries) task.owned.finish(entry)
    this.#tell(task, 0)
    this.#running--
    task.owned.leave()
  }

  #fail(task: Task, delayLevel: number, error: unknown): void {
    this.#tell(task, task.entries.length)
    this.#endLater(
      task,
      this.#retry(task, task.entries, () => delayLevel, error),
    )
  }

  /** Of a batch, those behind the index that the handler left, or that it named, come again. */
  async #acknowledge(task: Task, context: HandlerContext): Promise<void> {
    const { ackIndex, retried } = context
    const isDone = ({ message }: Entry, at: number): boolean =>
      at <= ackIndex && retried?.has(message) !== true
    for (const entry of task.entries.filter(isDone)) task.owned.finish(entry)
    const rest = task.entries.filter((entry, at) => !isDone(entry, at))
    this.#tell(task, rest.length)
    const levelOf = (message: ReceivedMessage): number =>
      retried?.get(message) ?? context.delayLevelWhenNextConsume
    await this.#retry(task, rest, levelOf, new Error(notAcknowledged(context)))
  }

  async #retry(
    task: Task,
    entries: readonly Entry[],
    levelOf: (message: ReceivedMessage) => number,
    error: unknown,
  ): Promise<void> {
    for (const entry of entries) {
      // Who reads the queue now gets the message again anyway.
      if (task.owned.isGone) return
      const after = await this.#giveBack(task, entry, levelOf(entry.message), error)
      this.#parts.onFailed(entry.message, error, after)
    }
  }

  async #giveBack(
    task: Task,
    entry: Entry,
    delayLevel: number,
    error: unknown,
  ): Promise<AfterFailure> {
    try {
      const after = await this.#parts.giveBack(entry.message, delayLevel, error)
      task.owned.finish(entry)
      return after
    } catch {
      this.#handleAgain({ ...task, entries: [entry] }, entry.message)
      return 'kept here'
    }
  }

  #handleAgain(task: Task, message: ReceivedMessage): void {
    const timer = this.#parts.clock.after(HANDLE_AGAIN_MS, () => {
      this.#again.delete(timer)
      message.reconsumeTimes++
      this.#line.push(task)
      this.pump()
    })
    this.#again.add(timer)
  }

  #endLater(task: Task, end: Promise<void>): void {
    end.finally(() => {
      this.#running--
      task.owned.leave()
      this.pump()
    })
  }

  #tell(task: Task, failed: number): void {
    const { clock, onHandled } = this.#parts
    onHandled(task, task.entries.length - failed, failed, clock.monotonicMs())
  }
}

function notAcknowledged({ ackIndex, retried }: HandlerContext): string {
  if (retried === undefined) return `the handler has set ackIndex to ${ackIndex}`
  return 'the handler has asked for a message of its batch to come again'
}
