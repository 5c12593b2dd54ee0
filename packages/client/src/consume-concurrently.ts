/**
 * Runs handlers, up to a number at a time over all queues, and sees to it that each message is
 * either done or comes again. Source: Apache class ConsumeMessageConcurrentlyService; `client.md`
 * section 6.4. Owns the line of tasks; its length is bounded by the windows of the queues.
 */
import type { Clock } from '@rockhopper/host'
import type { ConsumeContext, Handling } from './handlers.ts'
import type { Entry, OwnedQueue } from './owned-queue.ts'
import type { ReceivedMessage } from './received-message.ts'

/** Pause before a message that could not be given back is handled again here (Apache: 5 s). */
const HANDLE_AGAIN_MS = 5_000

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

  constructor(parts: ConsumptionParts) {
    this.#parts = parts
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
      this.#endLater(task, this.#retry(task, task.entries, context, error))
      return
    }
    if (isPromise(result)) this.#endLater(task, this.#settle(task, context, result))
    else if (task.entries.length <= context.ackIndex + 1) this.#succeed(task)
    else this.#endLater(task, this.#acknowledge(task, context))
  }

  /** The fast way: all done, nothing to wait for. */
  #succeed({ owned, entries }: Task): void {
    for (const entry of entries) owned.finish(entry)
    this.#running--
    owned.leave()
  }

  async #settle(task: Task, context: ConsumeContext, result: Promise<void>): Promise<void> {
    try {
      await result
    } catch (error) {
      return await this.#retry(task, task.entries, context, error)
    }
    await this.#acknowledge(task, context)
  }

  /** Of a batch, those behind the index that the handler left are to come again. */
  async #acknowledge(task: Task, context: ConsumeContext): Promise<void> {
    const done = Math.max(0, Math.min(context.ackIndex + 1, task.entries.length))
    for (const entry of task.entries.slice(0, done)) task.owned.finish(entry)
    const rest = task.entries.slice(done)
    if (rest.length === 0) return
    const error = new Error(`the handler has set ackIndex to ${context.ackIndex}`)
    await this.#retry(task, rest, context, error)
  }

  async #retry(
    task: Task,
    entries: readonly Entry[],
    { delayLevelWhenNextConsume }: ConsumeContext,
    error: unknown,
  ): Promise<void> {
    for (const entry of entries) {
      // Who reads the queue now gets the message again anyway.
      if (task.owned.isGone) return
      const after = await this.#giveBack(task, entry, delayLevelWhenNextConsume)
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
  return typeof result === 'object' && typeof result.then === 'function'
}
