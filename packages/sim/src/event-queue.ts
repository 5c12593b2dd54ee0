/**
 * What will happen, soonest first; what was scheduled earlier goes first at the same time. A binary
 * heap. Owns the events that have not run; called-off ones stay in it until they come up or until
 * they are the greater part.
 */

/** The heap is swept only when it holds more than this many events that were called off. */
const SWEEP_ABOVE = 1024

class SimEvent {
  readonly atMs: number
  readonly sequence: number
  readonly #queue: EventQueue
  #task: (() => void) | undefined

  constructor(queue: EventQueue, atMs: number, sequence: number, task: () => void) {
    this.#queue = queue
    this.atMs = atMs
    this.sequence = sequence
    this.#task = task
  }

  get cancelled(): boolean {
    return this.#task === undefined
  }

  /** Gives the task away, once. */
  take(): (() => void) | undefined {
    const task = this.#task
    this.#task = undefined
    return task
  }

  cancel(): void {
    if (this.take() !== undefined) this.#queue.cancelledOne()
  }

  before(other: SimEvent): boolean {
    return this.atMs === other.atMs ? this.sequence < other.sequence : this.atMs < other.atMs
  }
}

export class EventQueue {
  #heap: SimEvent[] = []
  #sequence = 0
  #cancelled = 0

  /** Events that will run. */
  get pendingCount(): number {
    return this.#heap.length - this.#cancelled
  }

  add(atMs: number, task: () => void): SimEvent {
    const event = new SimEvent(this, atMs, this.#sequence, task)
    this.#sequence += 1
    this.#push(event)
    return event
  }

  /** The next event that was not called off. */
  peek(): SimEvent | undefined {
    for (;;) {
      const first = this.#heap[0]
      if (first === undefined || !first.cancelled) return first
      this.#removeFirst()
      this.#cancelled -= 1
    }
  }

  /** Removes and returns what `peek` shows. */
  shift(): SimEvent | undefined {
    const first = this.peek()
    if (first !== undefined) this.#removeFirst()
    return first
  }

  /** Called by an event that was called off while it was in the heap. */
  cancelledOne(): void {
    this.#cancelled += 1
    if (this.#cancelled <= SWEEP_ABOVE || this.#cancelled * 2 <= this.#heap.length) return
    const kept = this.#heap.filter((event) => !event.cancelled)
    this.#heap = []
    this.#cancelled = 0
    for (const event of kept) this.#push(event)
  }

  #push(event: SimEvent): void {
    let index = this.#heap.length
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = this.#heap[parentIndex]
      if (parent === undefined || !event.before(parent)) break
      this.#heap[index] = parent
      index = parentIndex
    }
    this.#heap[index] = event
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    let index = 0
    for (;;) {
      const childIndex = this.#smallerChild(index)
      const child = this.#heap[childIndex]
      if (child === undefined || !child.before(last)) break
      this.#heap[index] = child
      index = childIndex
    }
    this.#heap[index] = last
  }

  #smallerChild(index: number): number {
    const left = this.#heap[2 * index + 1]
    const right = this.#heap[2 * index + 2]
    if (left === undefined || right === undefined) return 2 * index + 1
    return 2 * index + (right.before(left) ? 2 : 1)
  }
}
