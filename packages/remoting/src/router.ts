/**
 * From a request's code to its handler, and from what the handler gives or throws to an answer: the
 * only place on the server path that catches. Owns the table of handlers and counts the requests
 * that have no answer yet.
 */
import type { Logger } from '@rockhopper/host'
import {
  type Command,
  extMap,
  extraField,
  type FieldTable,
  type Frame,
  FrameError,
  type Head,
  type Header,
  HeaderError,
  isOneway,
  responseCode,
} from '@rockhopper/protocol'
import type { Connection, Reply } from './connection.ts'
import { Refusal } from './errors.ts'
import { MAX_REQUESTS_IN_FLIGHT, MAX_REQUESTS_PER_CONNECTION } from './limits.ts'

/** A request beside its typed header. */
export interface RequestContext {
  readonly connection: Connection
  readonly head: Head
  /** A view into received bytes: copy what must outlive the handler's first suspension. */
  readonly body: Buffer
  /** An ext field beside the typed ones. */
  extra(this: RequestContext, key: string): string | undefined
  /** All ext fields as they came. */
  extraMap(this: RequestContext): Record<string, string>
  /** Waits on behalf of a request that is held on purpose (a long poll), not being worked on. */
  hold<T>(this: RequestContext, wait: Promise<T>): Promise<T>
}

/** A reply, made at once or later; undefined when the request gets no answer. */
export type Result<A extends FieldTable> = Reply<A> | undefined | Promise<Reply<A> | undefined>

export type Handler<Q extends FieldTable, A extends FieldTable> = (
  header: Header<Q>,
  context: RequestContext,
) => Result<A>

/** A class, for its methods are shared: a request costs one object. */
class ReceivedRequest implements RequestContext {
  readonly connection: Connection
  readonly head: Head
  readonly body: Buffer
  readonly #router: Router

  constructor(router: Router, connection: Connection, frame: Frame) {
    this.#router = router
    this.connection = connection
    this.head = frame.head
    this.body = frame.body
  }

  extra(key: string): string | undefined {
    return extraField(this.head.ext, key)
  }

  extraMap(): Record<string, string> {
    return extMap(this.head.ext)
  }

  hold<T>(wait: Promise<T>): Promise<T> {
    return this.#router.hold(wait)
  }
}

interface Route {
  readonly command: Command
  readonly handle: Handler<FieldTable, FieldTable>
}

export class Router {
  readonly #routes = new Map<number, Route>()
  readonly #logger: Logger
  #inFlight = 0
  #held = 0
  #idle: (() => void) | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** Requests that have no answer yet, held ones included. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Names the handler of a command. */
  on<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    handle: Handler<Q, A>,
  ): this {
    this.#routes.set(command.code, {
      command: command as unknown as Command,
      handle: handle as unknown as Handler<FieldTable, FieldTable>,
    })
    return this
  }

  /** Resolves when no request is being worked on; held ones may remain. */
  idle(): Promise<void> {
    if (this.#inFlight === this.#held) return Promise.resolve()
    return new Promise((resolve) => {
      this.#idle = resolve
    })
  }

  /** Takes a request from a connection and sees to it that it is answered once. */
  readonly route = (connection: Connection, frame: Frame): void => {
    const { head } = frame
    const route = this.#routes.get(head.code)
    if (route === undefined) return refuseUnknown(connection, head)
    if (this.#isOverloaded(connection)) return refuseBusy(connection, head)
    this.#enter(connection)
    let result: Result<FieldTable>
    try {
      const header = route.command.request.decode(head.ext, route.command.requestSubject)
      result = route.handle(header, new ReceivedRequest(this, connection, frame))
    } catch (error) {
      this.#fail(connection, head, route.command, error)
      return this.#leave(connection)
    }
    if (result instanceof Promise) this.#later(connection, head, route.command, result)
    else this.#reply(connection, head, route.command, result)
  }

  #later(
    connection: Connection,
    head: Head,
    command: Command,
    result: Promise<Reply | undefined>,
  ): void {
    result.then(
      (reply) => this.#reply(connection, head, command, reply),
      (error: unknown) => {
        this.#fail(connection, head, command, error)
        this.#leave(connection)
      },
    )
  }

  #reply(connection: Connection, head: Head, command: Command, reply: Reply | undefined): void {
    if (reply !== undefined) {
      try {
        connection.answer(head, command.answer, reply)
      } catch (error) {
        this.#fail(connection, head, command, error)
      }
    }
    this.#leave(connection)
  }

  /** One sentence for the caller; what nobody expected goes to the log as well. */
  #fail(connection: Connection, head: Head, command: Command, error: unknown): void {
    if (error instanceof Refusal) {
      connection.answer(head, undefined, { code: error.code, remark: error.message })
      return
    }
    const unreadable = unreadableSentence(command, error)
    if (unreadable !== undefined) {
      connection.answer(head, undefined, { code: responseCode.SYSTEM_ERROR, remark: unreadable })
      return
    }
    const cause = error instanceof Error ? error : new Error(String(error))
    this.#logger.error('A request failed for a reason nobody foresaw.', {
      command: command.name,
      peer: connection.remote,
      error: cause,
    })
    const remark = `${command.name} failed: ${cause.message}`
    connection.answer(head, undefined, { code: responseCode.SYSTEM_ERROR, remark })
  }

  /** For contexts: waits on behalf of a request that is held on purpose. */
  async hold<T>(wait: Promise<T>): Promise<T> {
    this.#held++
    this.#wakeIfIdle()
    try {
      return await wait
    } finally {
      this.#held--
    }
  }

  #isOverloaded(connection: Connection): boolean {
    return (
      this.#inFlight >= MAX_REQUESTS_IN_FLIGHT ||
      connection.requestsInFlight >= MAX_REQUESTS_PER_CONNECTION
    )
  }

  #enter(connection: Connection): void {
    this.#inFlight++
    connection.requestsInFlight++
  }

  #leave(connection: Connection): void {
    this.#inFlight--
    connection.requestsInFlight--
    this.#wakeIfIdle()
  }

  #wakeIfIdle(): void {
    if (this.#idle === undefined || this.#inFlight !== this.#held) return
    this.#idle()
    this.#idle = undefined
  }
}

/** What the peer sent wrongly, as a sentence; undefined when the fault is not its own. */
function unreadableSentence(command: Command, error: unknown): string | undefined {
  if (error instanceof HeaderError || error instanceof FrameError) return error.message
  if (!(error instanceof SyntaxError)) return undefined
  return `the body of ${command.name} cannot be read: ${error.message}`
}

function refuseUnknown(connection: Connection, head: Head): void {
  if (isOneway(head)) return
  const remark = ` request type ${head.code} not supported`
  connection.answer(head, undefined, { code: responseCode.REQUEST_CODE_NOT_SUPPORTED, remark })
}

/** The remark begins as Apache's does, by which clients know flow control. */
function refuseBusy(connection: Connection, head: Head): void {
  const remark =
    '[OVERLOAD]system busy, start flow control for a while: ' +
    `${connection.requestsInFlight} requests of this connection wait for an answer`
  connection.answer(head, undefined, { code: responseCode.SYSTEM_BUSY, remark })
}
