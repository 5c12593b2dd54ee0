/**
 * Runs handlers, up to a number at a time over all queues, and sees to it that each message is
 * either done or comes again. Source: Apache class ConsumeMessageConcurrentlyService; `client.md`
 * section 6.4. Owns the line of tasks; its length is bounded by the windows of the queues.
 */
import type { Clock } from '@rockhopper/host'
import { ClientError } from './errors.ts'
import type { ConsumeContext, Handling } from './handlers.ts'
import { Overdue } from './overdue.ts'
import type { Entry, OwnedQueue } from './owned-queue.ts'
import type { ReceivedMessage } from './received-message.ts'

/** Pause before a message that could not be given back is handled again here (Apache: 5 s). */
const HANDLE_AGAIN_MS = 5_000

/** When messages come again whose handler was given up (Apache: level 3, 10 s). */
const DELAY_LEVEL_AFTER_TIMEOUT = 3

/** Tasks that were begun are dropped from the head of the line in steps of this many. */
const COMPACT_FROM = 1024

/** What became of a message whose handler failed. */
export type AfterFailure =
  /** The broker has it and delivers it again later, or lays it aside as a dead letter. */
  | 'given back'
  /** The broker did not take it: it is handled again here in 5 s. */
  | 'kept here'

export interface ConsumptionParts {
  readonly clock: Clock
  /** Handlers that run at a time. */
  readonly concurrency: number
  /** Time after which a handler is given up, in ms: its messages come again. */
  readonly timeoutMs: number
  readonly handlingOf: (topic: string) => Handling
  /** Gives a message back to its broker. */
  readonly sendBack: (message: ReceivedMessage, delayLevel: number) => Promise<void>
  /** Told of each message that failed. */
  readonly onFailed: (message: ReceivedMessage, error: unknown, after: AfterFailure) => void
}

interface Task {
  readonly owned: OwnedQueue
  readonly entries: readonly Entry[]
  readonly handling: Handling
}

export class Consumption {
  readonly #parts: ConsumptionParts
  #line: Task[] = []
  /** Index of the next task to begin. */
  #head = 0
  #running = 0
  readonly #overdue: Overdue<Task>

  constructor(parts: ConsumptionParts) {
    this.#parts = parts
    this.#overdue = new Overdue(parts.clock, parts.timeoutMs, (task) => this.#giveUp(task))
  }

  /** Takes new messages of a queue, in the order of their offsets. */
  submit(owned: OwnedQueue, entries: readonly Entry[]): void {
    for (let at = 0; at < entries.length; ) {
      const task = this.#taskAt(owned, entries, at)
      at += task.entries.length
      this.#line.push(task)
    }
    this.#pump()
  }

  /** Gives up no more handlers. */
  stop(): void {
    this.#overdue.stop()
  }

  /** The messages from `at` on that one call of a handler takes. */
  #taskAt(owned: OwnedQueue, entries: readonly Entry[], at: number): Task {
    const topic = entries[at]?.message.topic ?? ''
    const handling = this.#parts.handlingOf(topic)
    const limit = handling.kind === 'each' ? 1 : handling.maxSize
    let end = at + 1
    while (end < at + limit && entries[end]?.message.topic === topic) end++
    return { owned, entries: entries.slice(at, end), handling }
  }

  #pump(): void {
    while (this.#running < this.#parts.concurrency) {
      const task = this.#line[this.#head]
      if (task === undefined) break
      this.#head++
      if (!task.owned.isReleased) this.#begin(task)
    }
    if (this.#head < COMPACT_FROM && this.#head < this.#line.length) return
    this.#line = this.#line.slice(this.#head)
    this.#head = 0
  }

  #begin(task: Task): void {
    this.#running++
    task.owned.enter()
    const context: ConsumeContext = {
      queue: task.owned.queue,
      signal: task.owned.released,
      delayLevelWhenNextConsume: 0,
      ackIndex: Number.MAX_SAFE_INTEGER,
    }
    let result: void | Promise<void>
    try {
      result = call(task, context)
    } catch (error) {
      this.#fail(task, context.delayLevelWhenNextConsume, error)
      return
    }
    if (isPromise(result)) this.#await(task, context, result)
    else this.#succeed(task, context)
  }

  /** What a handler does after it was given up does not count any more. */
  #await(task: Task, context: ConsumeContext, result: Promise<void>): void {
    this.#overdue.watch(task)
    result.then(
      () => {
        if (!this.#overdue.over(task)) return
        this.#succeed(task, context)
        this.#pump()
      },
      (error: unknown) => {
        if (this.#overdue.over(task)) this.#fail(task, context.delayLevelWhenNextConsume, error)
      },
    )
  }

  #giveUp(task: Task): void {
    const topic = task.entries[0]?.message.topic ?? ''
    const { timeoutMs } = this.#parts
    const sentence = `a handler of the topic "${topic}" was not done after ${timeoutMs} ms`
    const hint = 'see what it waits for, or raise consumeTimeoutMs'
    const error = new ClientError('TIMEOUT', sentence, { retryable: true, hint })
    this.#fail(task, DELAY_LEVEL_AFTER_TIMEOUT, error)
  }

  #succeed(task: Task, context: ConsumeContext): void {
    if (task.entries.length > context.ackIndex + 1) {
      this.#endLater(task, this.#acknowledge(task, context))
      return
    }
    for (const entry of task.entries) task.owned.finish(entry)
    this.#running--
    task.owned.leave()
  }

  #fail(task: Task, delayLevel: number, error: unknown): void {
    this.#endLater(task, this.#retry(task, task.entries, delayLevel, error))
  }

  /** Of a batch, those behind the index that the handler left are to come again. */
  async #acknowledge(task: Task, context: ConsumeContext): Promise<void> {
    const done = Math.max(0, Math.min(context.ackIndex + 1, task.entries.length))
    for (const entry of task.entries.slice(0, done)) task.owned.finish(entry)
    const rest = task.entries.slice(done)
    if (rest.length === 0) return
    const error = new Error(`the handler has set ackIndex to ${context.ackIndex}`)
    await this.#retry(task, rest, context.delayLevelWhenNextConsume, error)
  }

  async #retry(
    task: Task,
    entries: readonly Entry[],
    delayLevel: number,
    error: unknown,
  ): Promise<void> {
    for (const entry of entries) {
      // Who reads the queue now gets the message again anyway.
      if (task.owned.isGone) return
      const after = await this.#giveBack(task, entry, delayLevel)
      this.#parts.onFailed(entry.message, error, after)
    }
  }

  async #giveBack(task: Task, entry: Entry, delayLevel: number): Promise<AfterFailure> {
    try {
      await this.#parts.sendBack(entry.message, delayLevel)
      task.owned.finish(entry)
      return 'given back'
    } catch {
      this.#parts.clock.after(HANDLE_AGAIN_MS, () => {
        entry.message.reconsumeTimes++
        this.#line.push({ ...task, entries: [entry] })
        this.#pump()
      })
      return 'kept here'
    }
  }

  #endLater(task: Task, end: Promise<void>): void {
    end.finally(() => {
      this.#running--
      task.owned.leave()
      this.#pump()
    })
  }
}

function call({ handling, entries }: Task, context: ConsumeContext): void | Promise<void> {
  if (handling.kind === 'batch') {
    return handling.handle(
      entries.map((entry) => entry.message),
      context,
    )
  }
  const [entry] = entries
  return entry === undefined ? undefined : handling.handle(entry.message, context)
}

function isPromise(result: void | Promise<void>): result is Promise<void> {
  return typeof result === 'object' && typeof result?.then === 'function'
}
