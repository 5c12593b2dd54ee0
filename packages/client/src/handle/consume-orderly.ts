/**
 * Runs handlers in the order of each queue: one at a time for a queue, several queues at a time. A
 * message whose handler fails is tried again before any other of its queue. Source: Apache class
 * ConsumeMessageOrderlyService; `client.md` section 6.5. Owns a lane for each queue and the line of
 * lanes that may go on; what waits in them is bounded by the windows of the queues.
 */
import type { Timer } from '@rockhopper/host'
import type { Entry, OwnedQueue } from '../balance/owned-queue.ts'
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
} from './consumption.ts'

/** Source: Apache ConsumeMessageOrderlyService.submitConsumeRequestLater. */
const MIN_SUSPEND_MS = 10
const MAX_SUSPEND_MS = 30_000

export interface OrderlyParts extends ConsumptionParts {
  /** How long a queue waits after a failure, unless the handler says otherwise, in ms. */
  readonly suspendMs: number
  /** Failures after which a message is laid aside. */
  readonly maxReconsumeTimes: number
  /** Whether the queue is ours alone at this moment. */
  readonly isLocked: (owned: OwnedQueue) => boolean
  /** Resolves when it is again, or when the queue is released. */
  readonly locked: (owned: OwnedQueue) => Promise<void>
  /** Lays aside a message that failed too often. Rejects when nobody took it. */
  readonly layAside: (message: ReceivedMessage, error: unknown) => Promise<AfterFailure>
}

/** The messages of one queue on their way through the handlers. */
interface Lane {
  readonly owned: OwnedQueue
  /** Not handed to a handler yet, or to be handed to one again. */
  waiting: Entry[]
  /** Handled without being committed. */
  heldBack: Entry[]
  /** Idle lanes begin when something comes; all others begin by themselves. */
  state: 'idle' | 'in line' | 'running' | 'waiting'
  timer: Timer | undefined
}

export class OrderlyConsumption implements Consumption {
  readonly #parts: OrderlyParts
  readonly #lanes = new Map<OwnedQueue, Lane>()
  #line: Lane[] = []
  readonly #running = new Set<Task>()
  #isPumping = false

  constructor(parts: OrderlyParts) {
    this.#parts = parts
  }

  submit(owned: OwnedQueue, entries: readonly Entry[]): void {
    if (owned.isReleased) return
    const lane = this.#laneOf(owned)
    lane.waiting.push(...entries)
    this.#lineUp(lane)
  }

  pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    while (this.#line.length > 0 && this.#parts.hasRoom(this.#running.size)) {
      const lane = this.#line.shift()
      if (lane !== undefined) this.#begin(lane)
    }
    this.#isPumping = false
  }

  running(): readonly Task[] {
    return [...this.#running]
  }

  stop(): void {
    for (const lane of this.#lanes.values()) lane.timer?.cancel()
    this.#lanes.clear()
    this.#line = []
  }

  #laneOf(owned: OwnedQueue): Lane {
    const known = this.#lanes.get(owned)
    if (known !== undefined) return known
    const lane: Lane = { owned, waiting: [], heldBack: [], state: 'idle', timer: undefined }
    this.#lanes.set(owned, lane)
    const forget = (): void => {
      lane.timer?.cancel()
      this.#lanes.delete(owned)
    }
    owned.released.addEventListener('abort', forget, { once: true })
    return lane
  }

  /** Lets a lane that rests go on when it is its turn. */
  #lineUp(lane: Lane): void {
    if (lane.state !== 'idle' || lane.waiting.length === 0 || lane.owned.isReleased) return
    lane.state = 'in line'
    this.#line.push(lane)
    this.pump()
  }

  #begin(lane: Lane): void {
    lane.state = 'idle'
    if (lane.owned.isReleased) return
    if (this.#parts.isLocked(lane.owned)) this.#call(lane)
    else this.#waitForLock(lane)
  }

  #waitForLock(lane: Lane): void {
    lane.state = 'waiting'
    this.#parts.locked(lane.owned).then(() => {
      lane.state = 'idle'
      this.#lineUp(lane)
    })
  }

  #call(lane: Lane): void {
    const { clock, suspendMs, handlingOf, reply } = this.#parts
    const task = taskAt(lane.owned, lane.waiting, 0, handlingOf)
    task.startMs = clock.monotonicMs()
    lane.waiting = lane.waiting.slice(task.entries.length)
    lane.state = 'running'
    this.#running.add(task)
    lane.owned.enter()
    const context = new HandlerContext(lane.owned, suspendMs, reply)
    const succeeded = (): void => {
      this.#tell(task, false)
      this.#succeed(lane, task, context)
    }
    const failed = (error: unknown): void => {
      this.#tell(task, true)
      this.#fail(lane, task, context, error)
    }
    let result: void | Promise<void>
    try {
      result = callHandler(task, context)
    } catch (error) {
      failed(error)
      return
    }
    if (isPromise(result)) result.then(succeeded, failed)
    else succeeded()
  }

  #succeed(lane: Lane, task: Task, context: HandlerContext): void {
    const { entries } = task
    if (context.wish === 'rollback') {
      lane.waiting = [...lane.heldBack, ...entries, ...lane.waiting]
      lane.heldBack = []
      this.#leave(lane, task)
      this.#suspend(lane, context.suspendMs)
      return
    }
    lane.heldBack.push(...entries)
    if (context.autoCommit || context.wish === 'commit') {
      for (const entry of lane.heldBack) lane.owned.finish(entry)
      lane.heldBack = []
    }
    this.#leave(lane, task)
    lane.state = 'idle'
    this.#lineUp(lane)
  }

  #fail(lane: Lane, task: Task, context: HandlerContext, error: unknown): void {
    this.#sortOut(task.entries, lane, error).then((again) => {
      lane.waiting = [...again, ...lane.waiting]
      this.#leave(lane, task)
      if (again.length > 0) this.#suspend(lane, context.suspendMs)
      else {
        lane.state = 'idle'
        this.#lineUp(lane)
      }
    })
  }

  /** Lays aside what failed too often; gives back what comes again. */
  async #sortOut(entries: readonly Entry[], { owned }: Lane, error: unknown): Promise<Entry[]> {
    const again: Entry[] = []
    for (const entry of entries) {
      const after = await this.#afterFailure(entry, owned, error)
      if (after === 'suspended') again.push(entry)
      this.#parts.onFailed(entry.message, error, after)
    }
    return again
  }

  async #afterFailure(entry: Entry, owned: OwnedQueue, error: unknown): Promise<AfterFailure> {
    const { message } = entry
    if (message.reconsumeTimes >= this.#parts.maxReconsumeTimes && !owned.isGone) {
      try {
        const after = await this.#parts.layAside(message, error)
        owned.finish(entry)
        return after
      } catch {
        // It stays the first of its queue, and the next failure offers it again.
      }
    }
    message.reconsumeTimes++
    return 'suspended'
  }

  #suspend(lane: Lane, wantedMs: number): void {
    if (lane.owned.isReleased) return
    const suspendMs = Math.min(MAX_SUSPEND_MS, Math.max(MIN_SUSPEND_MS, wantedMs))
    lane.state = 'waiting'
    lane.timer = this.#parts.clock.after(suspendMs, () => {
      lane.state = 'idle'
      this.#lineUp(lane)
    })
  }

  #leave(lane: Lane, task: Task): void {
    this.#running.delete(task)
    lane.owned.leave()
    this.pump()
  }

  #tell(task: Task, isFailure: boolean): void {
    const { clock, onHandled } = this.#parts
    const count = task.entries.length
    onHandled(task, isFailure ? 0 : count, isFailure ? count : 0, clock.monotonicMs())
  }
}
