/**
 * Virtual time. Nothing passes by itself: `run` takes the next event, moves time to it, runs it,
 * lets every promise go on that can, and takes the next. Events are ordered by time, then by the
 * order in which they were scheduled, so that a run repeats exactly. Owns the time and the queue.
 */
import { type Clock, nextTurn, type Timer } from '@rockhopper/host'
import { EventQueue } from './event-queue.ts'
import { SimTrace } from './trace.ts'

/** 2024-01-01T00:00:00Z: when simulations begin, unless they say otherwise. */
const DEFAULT_START_MS = 1_704_067_200_000
/** How much virtual time `run` and `settle` wait for a condition, unless told otherwise. */
const DEFAULT_LIMIT_MS = 3_600_000
/** So many events without time going on are taken for a loop that never ends. */
const MAX_EVENTS_AT_ONE_TIME = 1_000_000

export class SimClock implements Clock {
  readonly #queue = new EventQueue()
  readonly #trace: SimTrace
  #wallOffsetMs: number
  #utcOffsetMs = 0
  #timeMs = 0
  #running = false
  #stepsAtThisTime = 0

  /** `startMs` is the wall time at which the simulation begins, in milliseconds since 1970. */
  constructor(startMs: number = DEFAULT_START_MS, trace: SimTrace = new SimTrace()) {
    this.#wallOffsetMs = startMs
    this.#trace = trace
  }

  nowMs(): number {
    return this.#wallOffsetMs + Math.floor(this.#timeMs)
  }

  utcOffsetMs(): number {
    return this.#utcOffsetMs
  }

  /** Starts at 0. */
  monotonicMs(): number {
    return this.#timeMs
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#queue.add(this.#timeMs + Math.max(0, delayMs), task)
  }

  /** Runs `task` when `monotonicMs` is exactly `timeMs`, or now if that has passed. */
  at(timeMs: number, task: () => void): Timer {
    return this.#queue.add(Math.max(this.#timeMs, timeMs), task)
  }

  soon(task: () => void): void {
    this.#queue.add(this.#timeMs, task)
  }

  /** Events that are scheduled and not called off. */
  get pendingCount(): number {
    return this.#queue.pendingCount
  }

  /** Moves the wall clock alone, forwards or back, as an operator or a time service does. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** Moves all machines to where local time is so far ahead of UTC; at first it is 0. */
  setUtcOffset(offsetMs: number): void {
    this.#utcOffsetMs = offsetMs
  }

  /**
   * With a number: runs everything up to that time (as `monotonicMs` counts it) and ends there.
   * With a condition: runs until it holds, which is tested after each event; throws when no event
   * is left or `limitMs` of virtual time has passed before it does.
   */
  async run(until: number | (() => boolean), limitMs: number = DEFAULT_LIMIT_MS): Promise<void> {
    if (this.#running) throw new Error('the clock is run already: await the first run')
    this.#running = true
    try {
      await nextTurn()
      if (typeof until === 'number') await this.#runTo(until)
      else await this.#runUntil(until, this.#timeMs + limitMs)
    } finally {
      this.#running = false
    }
  }

  /** Runs everything that happens within the next `durationMs`, and ends at that time. */
  advance(durationMs: number): Promise<void> {
    return this.run(this.#timeMs + durationMs)
  }

  /** Runs until `promise` is settled, and returns or throws what it came to. */
  async settle<T>(promise: Promise<T>, limitMs: number = DEFAULT_LIMIT_MS): Promise<T> {
    let settled = false
    const finish = (): void => {
      settled = true
    }
    promise.then(finish, finish)
    await this.run(() => settled, limitMs)
    return promise
  }

  async #runTo(endMs: number): Promise<void> {
    while (await this.#step(endMs));
    this.#timeMs = Math.max(this.#timeMs, endMs)
  }

  async #runUntil(holds: () => boolean, endMs: number): Promise<void> {
    while (!holds()) {
      if (await this.#step(endMs)) continue
      const reason = this.pendingCount === 0 ? 'no event is left' : `it is not so by ${endMs} ms`
      throw new Error(`the simulation waits in vain since ${this.#timeMs} ms: ${reason}`)
    }
  }

  /** Runs the next event if it comes by `endMs`; false when there is none. */
  async #step(endMs: number): Promise<boolean> {
    const next = this.#queue.peek()
    if (next === undefined || next.atMs > endMs) return false
    this.#queue.shift()
    this.#countSteps(next.atMs)
    this.#timeMs = next.atMs
    this.#trace.note('event', next.atMs, next.sequence)
    next.take()?.()
    await nextTurn()
    return true
  }

  #countSteps(atMs: number): void {
    this.#stepsAtThisTime = atMs === this.#timeMs ? this.#stepsAtThisTime + 1 : 0
    if (this.#stepsAtThisTime < MAX_EVENTS_AT_ONE_TIME) return
    throw new Error(`time stands still at ${atMs} ms: a loop schedules itself without a delay`)
  }
}
