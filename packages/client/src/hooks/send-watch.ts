/**
 * Calls the hooks of a producer around its sends. A producer without hooks asks `isIdle` for each
 * send, and nothing else of this costs it anything. Owns nothing.
 */
import type { Clock } from '@rockhopper/host'
import { isDelayed } from '../produce/draft.ts'
import type { Message, SendResult } from '../produce/message.ts'
import { areSendsObserved, producerChannels } from './channels.ts'
import type { HookFailure, ProducerHook, SendEnd, Sending, TransactionEnd } from './hook.ts'

export interface SendWatchParts {
  readonly clock: Clock
  readonly group: string
  readonly hooks: readonly ProducerHook[]
  /** Address of a broker, where it is known. */
  readonly addressOf: (brokerName: string) => string | undefined
  readonly onHookFailed: (failure: HookFailure) => void
}

/** What is sent, and whether it is answered. */
export type SendingAs = 'answered' | 'oneway' | 'half'

/** What is known of the end of a transaction beside the producer. */
export type EndTold = Omit<TransactionEnd, 'group' | 'endedAtMs' | 'brokerAddress'>

/** A send that hooks were told of. */
export interface WatchedSend {
  /** As hooks have prepared them. */
  readonly messages: readonly Message[]
  /** Settles as the send does, after hooks were told how. */
  until<T extends SendResult | undefined>(sent: Promise<T>): Promise<T>
}

export class SendWatch {
  readonly #parts: SendWatchParts
  readonly #hooks: readonly ProducerHook[]

  constructor(parts: SendWatchParts) {
    this.#parts = parts
    this.#hooks = [...parts.hooks, producerChannels]
  }

  /** Whether nobody wants to know of a send. */
  get isIdle(): boolean {
    return this.#parts.hooks.length === 0 && !areSendsObserved()
  }

  /** Sends messages by `run`, which gets them as hooks have prepared them, and tells hooks of it. */
  around<T extends SendResult | undefined>(
    messages: readonly Message[],
    as: SendingAs,
    run: (prepared: readonly Message[]) => Promise<T>,
  ): Promise<T> {
    const watched = this.begin(messages, as)
    return watched.until(run(watched.messages))
  }

  /** For who cannot send at once: `until` takes the send when it begins. */
  begin(messages: readonly Message[], as: SendingAs): WatchedSend {
    const { clock } = this.#parts
    const startMs = clock.monotonicMs()
    const sending = this.#sendingOf(messages, as)
    this.#each('beforeSend', (hook) => hook.beforeSend?.(sending))
    const tell = (end: SendEnd): void => {
      this.#each('afterSend', (hook) => hook.afterSend?.(sending, end))
    }
    return {
      messages: sending.messages,
      until: async (sent) => {
        try {
          const result = await sent
          const brokerAddress = result && this.#parts.addressOf(result.queue.brokerName)
          tell({ kind: 'sent', result, brokerAddress, tookMs: clock.monotonicMs() - startMs })
          return result
        } catch (error) {
          tell({ kind: 'failed', error, tookMs: clock.monotonicMs() - startMs })
          throw error
        }
      },
    }
  }

  endTransaction(end: EndTold, brokerName: string): void {
    const { clock, group, addressOf } = this.#parts
    const whole = { ...end, group, brokerAddress: addressOf(brokerName), endedAtMs: clock.nowMs() }
    this.#each('endTransaction', (hook) => hook.endTransaction?.(whole))
  }

  #sendingOf(messages: readonly Message[], as: SendingAs): Sending {
    const { group, clock } = this.#parts
    const prepared = messages.map((message) => this.#prepared(message))
    const [first] = prepared
    const isLater = first !== undefined && isDelayed(first)
    const kind = as === 'half' ? 'half' : isLater ? 'delayed' : 'normal'
    const mode = as === 'oneway' ? 'oneway' : 'answered'
    const topic = first?.topic ?? ''
    return { group, topic, messages: prepared, kind, mode, startedAtMs: clock.nowMs() }
  }

  #prepared(message: Message): Message {
    let prepared = message
    this.#each('prepare', (hook) => {
      prepared = hook.prepare?.(prepared) ?? prepared
    })
    return prepared
  }

  #each(during: string, call: (hook: ProducerHook) => void): void {
    for (const hook of this.#hooks) {
      try {
        call(hook)
      } catch (error) {
        this.#parts.onHookFailed({ hook: hook.name, during, error })
      }
    }
  }
}
