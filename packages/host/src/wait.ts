/**
 * Small ways of waiting on a `Clock`: a pause, and a loop with a period. Owns no state.
 */
import type { Clock, Timer } from './clock.ts'

/** Resolves after `delayMs`, or as soon as `signal` aborts (it never rejects). */
export function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const finish = (): void => {
      timer.cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = clock.after(delayMs, finish)
    signal?.addEventListener('abort', finish, { once: true })
  })
}

/** A loop started by `every`. */
export interface Loop {
  /** Runs the task as soon as it is not running, without waiting for the period. */
  wake(): void
  /** Ends the loop; resolves when a run under way has finished. */
  stop(): Promise<void>
}

/**
 * Runs `task` every `periodMs`, first after `firstMs`, never twice at a time: the period is counted
 * from the end of a run. A task that throws goes to `onError` and the loop goes on.
 */
export function every(
  clock: Clock,
  periodMs: number,
  task: () => void | Promise<void>,
  onError: (error: unknown) => void,
  firstMs: number = periodMs,
): Loop {
  let timer: Timer | undefined
  let running: Promise<void> | undefined
  let again = false
  let stopped = false
  const run = async (): Promise<void> => {
    do {
      again = false
      try {
        await task()
      } catch (error) {
        onError(error)
      }
    } while (again && !stopped)
    running = undefined
    if (!stopped) timer = clock.after(periodMs, start)
  }
  const start = (): void => {
    running = run()
  }
  timer = clock.after(firstMs, start)
  return {
    wake() {
      if (stopped) return
      if (running !== undefined) {
        again = true
        return
      }
      timer?.cancel()
      start()
    },
    async stop() {
      stopped = true
      timer?.cancel()
      await running
    },
  }
}
