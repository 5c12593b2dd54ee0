/**
 * One turn of the real event loop. A simulation runs one event, gives the loop a turn so that every
 * promise that can go on has gone on, and only then runs the next. Owns nothing.
 */

/** Resolves in a later turn of the loop, when all microtasks of this one have run. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
