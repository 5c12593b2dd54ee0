/**
 * Where each attempt of a send passes when its queue is chosen: hooks may forbid it, and the sequence audit
 * stamps it. A producer that uses neither has none. Owns nothing.
 */
import type { SequenceStamps } from '../audit/sequence-stamps.ts'
import { ClientError } from '../errors.ts'
import type { PublishQueue } from '../produce/publish-table.ts'
import type { Gate, Parcel } from '../produce/sender.ts'
import type { ProducerHook } from './hook.ts'

export interface SendGateParts {
  readonly group: string
  /** Those that forbid. */
  readonly hooks: readonly ProducerHook[]
  readonly stamps: SequenceStamps | undefined
}

export class SendGate implements Gate {
  readonly #parts: SendGateParts

  constructor(parts: SendGateParts) {
    this.#parts = parts
  }

  check(parcel: Parcel, { queue, link }: PublishQueue): void {
    const { group, hooks } = this.#parts
    if (hooks.length === 0) return
    const messages = parcel.members?.map(({ message }) => message) ?? [parcel.message]
    const attempt = { group, messages, queue, brokerAddress: link.address }
    for (const hook of hooks) {
      try {
        hook.checkForbidden?.(attempt)
      } catch (cause) {
        throw forbidden(parcel.topic, hook.name, cause)
      }
    }
  }

  admit(parcel: Parcel, way: PublishQueue): Parcel {
    this.check(parcel, way)
    return this.#parts.stamps?.stamped(parcel, way.queue) ?? parcel
  }

  stored(parcel: Parcel): void {
    this.#parts.stamps?.stored(parcel)
  }

  over(parcel: Parcel): void {
    this.#parts.stamps?.over(parcel)
  }
}

function forbidden(topic: string, hook: string, cause: unknown): ClientError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const sentence = `the hook "${hook}" forbids a message to "${topic}": ${why}`
  return new ClientError('FORBIDDEN', sentence, {
    retryable: false,
    hint: 'ask who has hung the hook into the producer',
    cause,
  })
}
