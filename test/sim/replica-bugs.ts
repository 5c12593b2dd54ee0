/**
 * Bugs that are planted into brokers. Each puts something in the place of a method, and gives back what
 * undoes that, or stands between a broker and its disk.
 */
import type { Disk, DiskFile, Host } from '@rockhopper/host'
import { ReplicationAcks } from '../../packages/broker/src/services/replication-acks.ts'
import { Follower } from '../../packages/replication/src/follower.ts'
import { ConsumeQueue } from '../../packages/store/src/queues/consume-queue.ts'

type Undo = () => void

/** A synchronous master waits for no slave. */
export function acknowledgesBeforeReplicating(): Undo {
  return replaceMethod(ReplicationAcks.prototype, 'settled', () => () => 'ok')
}

/** A slave takes its log for that of its master, whatever the master says. */
export function keepsDivergedTail(): Undo {
  return replaceMethod(Follower.prototype, 'step', (step) => {
    return function (this: Follower, event) {
      return step.call(this, event.kind === 'compared' ? { ...event, isEqual: true } : event)
    }
  })
}

/** Messages can be pulled before they are as safe as the broker is told to make them. */
export function servesUnconfirmed(): Undo {
  return replaceMethod(ConsumeQueue.prototype, 'push', (push) => {
    return function (this: ConsumeQueue, unit) {
      push.call(this, unit)
      this.show(unit.logOffset + unit.sizeBytes)
    }
  })
}

/** A device that says that it has what it does not have yet. */
export function syncsNothing(given: Host, name: string): Host {
  return withLog(given, name, () => ({ syncData: () => Promise.resolve() }))
}

const LATE_MS = 20
const MOST_LATE_BYTES = 60_000

/** Small writes reach the system only a moment after they were reported. */
export function writesLate(given: Host, name: string): Host {
  return withLog(given, name, (file) => ({
    writeSync(chunks, position) {
      const bytes = Buffer.concat(chunks)
      if (bytes.length > MOST_LATE_BYTES) return file.writeSync(chunks, position)
      given.clock.after(LATE_MS, () => {
        try {
          for (let done = 0; done < bytes.length; ) {
            done += file.writeSync([bytes.subarray(done)], position + done)
          }
        } catch {
          // The file was closed in order meanwhile, or its disk is full.
        }
      })
      return bytes.length
    },
  }))
}

/** Doors through which the files of a broker's commit log, and its sums, behave otherwise. */
function withLog(given: Host, name: string, spoil: (file: DiskFile) => Partial<DiskFile>): Host {
  if (!name.startsWith('broker')) return given
  const open: Disk['open'] = (path, mode) => {
    const file = given.disk.open(path, mode)
    return /\/(commitlog|logsums)\//.test(path) ? changed(file, spoil(file)) : file
  }
  return { ...given, disk: changed(given.disk, { open }) }
}

/** The object with some of its methods replaced. */
export function changed<T extends object>(original: T, changes: Partial<T>): T {
  return new Proxy(original, {
    get(target, key: string & keyof T) {
      const value = changes[key] ?? target[key]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function replaceMethod<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  other: (known: T[K]) => T[K],
): Undo {
  const known = prototype[name]
  prototype[name] = other(known)
  return () => {
    prototype[name] = known
  }
}
