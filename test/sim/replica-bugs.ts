/**
 * Bugs that are planted into the replication of brokers. Each puts something in the place of a method,
 * and gives back what undoes that.
 */
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
