/**
 * Bugs that are planted into the parts of a broker that deliver messages later. Each puts something in
 * the place of a method, and gives back what undoes that.
 */
import { DueTime } from '../../packages/broker/src/services/due-time.ts'
import { DelayOffsetTable } from '../../packages/broker/src/tables/delay-offsets.ts'
import { PendingTimers } from '../../packages/broker/src/tables/pending-timers.ts'

const BY_MS = 4_000

type Undo = () => void

/** What has a time of its own comes seconds before it. */
export function timersAreEarly(): Undo {
  const known = Object.getOwnPropertyDescriptor(PendingTimers.prototype, 'firstWakeMs')
  const get = function (this: PendingTimers): number {
    return (known?.get?.call(this) ?? 0) - BY_MS
  }
  return replace(PendingTimers.prototype, 'firstWakeMs', { get, configurable: true })
}

/** What waited before a restart is forgotten. */
export function timersAreForgotten(): Undo {
  return replaceMethod(PendingTimers.prototype, 'restore', () => () => undefined)
}

/** What was delivered before a restart waits again. */
export function timersComeTwice(): Undo {
  return replaceMethod(PendingTimers.prototype, 'restore', (restore) => {
    return function (this: PendingTimers, image) {
      restore.call(this, image, new Set())
    }
  })
}

/** What calls a message off is delivered like any other, and calls nothing off. */
export function recallsAreIgnored(): Undo {
  return replaceMethod(PendingTimers.prototype, 'takeFirst', (takeFirst) => {
    return function (this: PendingTimers) {
      return { ...takeFirst.call(this), isRecall: false }
    }
  })
}

/** A level is seconds ahead. */
export function levelsAreEarly(): Undo {
  return waitsAreOff(-BY_MS)
}

/** A level is seconds behind. */
export function levelsAreLate(): Undo {
  return waitsAreOff(BY_MS)
}

/** A restart passes over messages that were not delivered. */
export function levelsAreForgotten(): Undo {
  return replaceMethod(DelayOffsetTable.prototype, 'load', (load) => {
    return function (this: DelayOffsetTable, json) {
      load.call(this, json)
      for (const level of [...this.levels]) this.put(level, this.get(level) + 2)
    }
  })
}

/** Nobody looks what was delivered after the file was saved. */
export function levelsComeTwice(): Undo {
  const get = () => ({ hasFile: true, logOffset: undefined })
  return replace(DelayOffsetTable.prototype, 'saved', { get, configurable: true })
}

function waitsAreOff(byMs: number): Undo {
  return replaceMethod(DueTime.prototype, 'waitOfFirst', (waitOfFirst) => {
    return function (this: DueTime, queueOffset, dueMs) {
      return waitOfFirst.call(this, queueOffset, dueMs) + byMs
    }
  })
}

function replaceMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  change: (method: T[K]) => T[K],
): Undo {
  return replace(prototype, name, { value: change(prototype[name]), configurable: true })
}

function replace(prototype: object, name: PropertyKey, descriptor: PropertyDescriptor): Undo {
  const known = Object.getOwnPropertyDescriptor(prototype, name) ?? {}
  Object.defineProperty(prototype, name, descriptor)
  return () => void Object.defineProperty(prototype, name, known)
}
