/**
 * Calls the hooks of a consumer around its handlers. Owns nothing.
 */
import type { Clock } from '@rockhopper/host'
import type { HandlerEnd, MessageQueue } from '@rockhopper/protocol'
import { HandlerContext } from '../handle/consume-context.ts'
import { isPromise } from '../handle/consumption.ts'
import type { ConsumeContext, Handling } from '../handle/handlers.ts'
import type { ReceivedMessage } from '../pull/received-message.ts'
import { areHandlersObserved, consumerChannels } from './channels.ts'
import type { ConsumeEnd, ConsumerHook, Consuming, HookFailure } from './hook.ts'

export interface ConsumeWatchParts {
  readonly clock: Clock
  readonly group: string
  readonly hooks: readonly ConsumerHook[]
  /** Time after which a handler has taken too long, in ms. */
  readonly timeoutMs: number
  readonly onHookFailed: (failure: HookFailure) => void
}

type Run = () => void | Promise<void>

export class ConsumeWatch {
  readonly #parts: ConsumeWatchParts
  readonly #hooks: readonly ConsumerHook[]

  constructor(parts: ConsumeWatchParts) {
    this.#parts = parts
    this.#hooks = [...parts.hooks, consumerChannels]
  }

  /** What calls the handler with hooks around it; the handling itself while nobody wants to know. */
  watched(handling: Handling): Handling {
    if (this.#isIdle) return handling
    if (handling.kind === 'batch') {
      const { handle } = handling
      return {
        ...handling,
        handle: (messages: readonly ReceivedMessage[], context: ConsumeContext) =>
          this.#watch(messages, context, () => handle(messages, context)),
      }
    }
    const { handle } = handling
    return {
      kind: 'each',
      handle: (message, context) => this.#watch([message], context, () => handle(message, context)),
    }
  }

  /**
   * Messages were given to who fetches them. Gives back what is to be called, once, when it is known
   * what became of them; undefined while nobody wants to know.
   */
  given(
    entries: readonly { readonly message: ReceivedMessage }[],
    queue: MessageQueue,
  ): ((end: HandlerEnd) => void) | undefined {
    if (this.#isIdle) return undefined
    const { clock, group } = this.#parts
    const messages = entries.map(({ message }) => message)
    const consuming: Consuming = { group, messages, queue, startedAtMs: clock.nowMs() }
    const startMs = clock.monotonicMs()
    this.#each('beforeConsume', (hook) => hook.beforeConsume?.(consuming))
    return (end) => {
      const tookMs = clock.monotonicMs() - startMs
      this.#tell(consuming, { end, error: undefined, tookMs })
    }
  }

  get #isIdle(): boolean {
    return this.#parts.hooks.length === 0 && !areHandlersObserved()
  }

  #watch(
    messages: readonly ReceivedMessage[],
    context: ConsumeContext,
    run: Run,
  ): void | Promise<void> {
    const { clock, group } = this.#parts
    const startedAtMs = clock.nowMs()
    const consuming: Consuming = { group, messages, queue: context.queue, startedAtMs }
    const startMs = clock.monotonicMs()
    const tell = (error: unknown, hasThrown: boolean): void => {
      const tookMs = clock.monotonicMs() - startMs
      const end = this.#endOf(messages, context, hasThrown, tookMs)
      this.#tell(consuming, { end, error, tookMs })
    }
    this.#each('beforeConsume', (hook) => hook.beforeConsume?.(consuming))
    let result: void | Promise<void>
    try {
      result = this.#within(consuming, run)
    } catch (error) {
      tell(error, true)
      throw error
    }
    if (!isPromise(result)) {
      tell(undefined, false)
      return
    }
    return result.then(
      () => tell(undefined, false),
      (error: unknown) => {
        tell(error, true)
        throw error
      },
    )
  }

  /** The first hook is the outermost. What a hook throws here cannot be told from the handler's. */
  #within(consuming: Consuming, run: Run): void | Promise<void> {
    const wrapped = this.#hooks.reduceRight<Run>(
      (inner, hook) => (hook.around === undefined ? inner : () => hook.around?.(consuming, inner)),
      run,
    )
    return wrapped()
  }

  #endOf(
    messages: readonly ReceivedMessage[],
    context: ConsumeContext,
    hasThrown: boolean,
    tookMs: number,
  ): HandlerEnd {
    if (hasThrown) return 'exception'
    if (tookMs >= this.#parts.timeoutMs) return 'timeout'
    if (context.ackIndex < messages.length - 1 || isTakenBack(context)) return 'failed'
    return 'success'
  }

  #tell(consuming: Consuming, end: ConsumeEnd): void {
    this.#each('afterConsume', (hook) => hook.afterConsume?.(consuming, end))
  }

  #each(during: string, call: (hook: ConsumerHook) => void): void {
    for (const hook of this.#hooks) {
      try {
        call(hook)
      } catch (error) {
        this.#parts.onHookFailed({ hook: hook.name, during, error })
      }
    }
  }
}

/** Whether the handler has said that messages are to come again. */
function isTakenBack(context: ConsumeContext): boolean {
  if (!(context instanceof HandlerContext)) return false
  return context.retried !== undefined || context.wish === 'rollback'
}
