/**
 * Ways of not waiting any longer for a promise. What it stands for goes on; its end is ignored.
 * Owns nothing.
 */
import type { Clock } from '@rockhopper/host'

/** The promise, or the reason of the signal as soon as that aborts. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason)
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
    const stopListening = (): void => signal.removeEventListener('abort', giveUp)
    promise.then(resolve, reject).finally(stopListening)
  })
}

/** The promise, or the error that `late` makes when it is not settled after `timeoutMs`. */
export function within<T>(
  clock: Clock,
  promise: Promise<T>,
  timeoutMs: number,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(timeoutMs, () => reject(late()))
    promise.then(resolve, reject).finally(() => timer.cancel())
  })
}
