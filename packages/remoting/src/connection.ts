/**
 * One connection between two peers. Both may ask: it matches answers with our requests, hands the
 * peer's requests to a handler, and writes whatever came together in a turn with one call.
 *
 * It owns the requests that wait for an answer, the bytes that wait to be written, and the
 * knowledge which header serialization the peer reads.
 */
import { setMaxListeners } from 'node:events'
import type { Clock, Logger, Stream, Timer } from '@rockhopper/host'
import { formatAddress } from '@rockhopper/host'
import {
  ACCEPT_SERIALIZATION,
  type Command,
  type ExtraFields,
  extraField,
  type FieldSet,
  type FieldTable,
  type Frame,
  FrameDecoder,
  FrameEncoder,
  FrameError,
  flag,
  type Head,
  type Header,
  isOneway,
  isResponse,
  LANGUAGE_OTHER,
  PROTOCOL_VERSION,
  responseCode,
  type Serialization,
  serialization,
} from '@rockhopper/protocol'
import { ConnectionError, RemoteError, TimeoutError } from './errors.ts'
import {
  CLOSE_ABOVE_BYTES,
  FLUSH_AT_BYTES,
  MAX_CALLS_PER_CONNECTION,
  PAUSE_READING_ABOVE_BYTES,
} from './limits.ts'

const OUR_SERIALIZATION = { [ACCEPT_SERIALIZATION]: String(serialization.msgpack) }

/** The answer to one of our requests. */
export interface Answer<A extends FieldTable = FieldTable> {
  /** Response code, 0 for success. */
  readonly code: number
  readonly remark: string | undefined
  /** Version ordinal of the peer. */
  readonly version: number
  readonly body: Buffer
  /** The typed fields. Throws `HeaderError` when a required one is missing. */
  header(this: Answer<A>): Header<A>
  /** An ext field beside the typed ones. */
  extra(this: Answer<A>, key: string): string | undefined
}

/** What a handler gives back for a request. */
export interface Reply<A extends FieldTable = FieldTable> {
  /** Response code; success when absent. */
  readonly code?: number
  readonly remark?: string | undefined
  readonly header?: Header<A>
  /** Ext fields beside the typed ones. */
  readonly extra?: ExtraFields
  /** Sent as it is, without a copy: it must not change afterwards. */
  readonly body?: readonly Uint8Array[]
}

export interface CallOptions {
  /** The body is sent as it is and must not change afterwards. */
  readonly body?: readonly Uint8Array[]
  readonly extra?: ExtraFields
  /** How long to wait for the answer, in milliseconds. */
  readonly timeoutMs: number
}

/** A request on its way out. */
export interface Asked {
  readonly header: Readonly<Record<string, unknown>>
  readonly extra: ExtraFields | undefined
  readonly body: readonly Uint8Array[] | undefined
}

/** Changes what is asked of peers that know things by other names. */
export interface Translation {
  /** What is sent in the place of a request. */
  readonly request: (command: Command, asked: Asked) => Asked
  /** What is read in the place of the body of an answer. */
  readonly answer: (command: Command, body: Buffer) => Buffer
}

interface Call {
  readonly command: Command
  readonly deadlineMs: number
  readonly timeoutMs: number
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: Error) => void
}

export interface ConnectionParts {
  readonly clock: Clock
  readonly logger: Logger
  /** Serialization of our requests until the peer has shown that it is one of ours. */
  readonly firstSerialization: Serialization
  /** Absent: everything is sent and read as it is. */
  readonly translation?: Translation | undefined
  /** Takes the peer's requests. */
  readonly onRequest: (connection: Connection, frame: Frame) => void
  readonly onClose: (connection: Connection) => void
}

export class Connection {
  /** The peer as `host:port`. */
  readonly remote: string
  readonly local: string
  readonly remoteHost: string
  readonly remotePort: number
  /** Aborted when the connection is gone: whoever waits on its behalf may stop. */
  readonly closed: AbortSignal
  /** Requests of the peer that have no answer yet; the router counts. */
  requestsInFlight = 0
  #lastActiveMs: number
  #lastHeardMs: number
  readonly #stream: Stream
  readonly #parts: ConnectionParts
  readonly #decoder = new FrameDecoder()
  readonly #encoder = new FrameEncoder()
  readonly #calls = new Map<number, Call>()
  readonly #abort = new AbortController()
  #serialization: Serialization
  /** The first call asks whether the peer reads msgpack; its opaque, 0 before it was sent. */
  #askOpaque = 0
  #asking: boolean
  /** Whether the peer's first request, the only one that may ask us, is still to come. */
  #mayBeAsked = true
  #askedOpaque: number | undefined
  #nextOpaque = 0
  #flushPlanned = false
  #readingPaused = false
  #expiry: Timer | undefined
  #expiryMs = Number.POSITIVE_INFINITY
  #gone: Error | undefined
  readonly #emit = (frame: Frame): void => this.#onFrame(frame)

  constructor(stream: Stream, parts: ConnectionParts) {
    this.#stream = stream
    this.#parts = parts
    this.#serialization = parts.firstSerialization
    this.#asking = parts.firstSerialization !== serialization.msgpack
    this.#lastActiveMs = parts.clock.monotonicMs()
    this.#lastHeardMs = this.#lastActiveMs
    this.remote = formatAddress(stream.remote)
    this.local = formatAddress(stream.local)
    this.remoteHost = stream.remote.host
    this.remotePort = stream.remote.port
    this.closed = this.#abort.signal
    // A client may have hundreds of pulls held on one connection: Node would warn of a leak.
    setMaxListeners(0, this.closed)
    stream.attach({
      data: (chunk) => this.#onData(chunk),
      drained: () => this.#onDrained(),
      closed: (cause) => this.#onClosed(cause),
    })
  }

  get isOpen(): boolean {
    return this.#gone === undefined
  }

  /** Monotonic time of the last byte in either direction, in milliseconds. */
  get lastActiveMs(): number {
    return this.#lastActiveMs
  }

  /** How long nothing has come from a peer that owes an answer, in ms; 0 when it owes none. */
  get silentMs(): number {
    return this.#calls.size === 0 ? 0 : this.#parts.clock.monotonicMs() - this.#lastHeardMs
  }

  /**
   * Sends a request and waits for its answer, whatever its code is. Rejects with `TimeoutError`, or
   * with `ConnectionError` when the connection is or gets closed.
   */
  call<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
    options: CallOptions,
  ): Promise<Answer<A>> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) return reject(this.#gone)
      if (this.#calls.size >= MAX_CALLS_PER_CONNECTION) {
        const limit = `${MAX_CALLS_PER_CONNECTION} requests to ${this.remote} wait for an answer`
        return reject(new ConnectionError(this.remote, `${limit}: that is the limit`))
      }
      const opaque = this.#opaque()
      this.#request(command, header, options.extra, options.body, opaque, flag.request)
      const deadlineMs = this.#parts.clock.monotonicMs() + options.timeoutMs
      this.#calls.set(opaque, {
        command: command as unknown as Command,
        deadlineMs,
        timeoutMs: options.timeoutMs,
        resolve: resolve as (answer: Answer) => void,
        reject,
      })
      this.#expireAt(deadlineMs)
    })
  }

  /** Sends a request that gets no answer. Lost without a word when the connection is closed. */
  oneway<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
    body?: readonly Uint8Array[],
  ): void {
    if (this.#gone !== undefined) return
    this.#request(command, header, undefined, body, this.#opaque(), flag.oneway)
  }

  /** Answers a request of the peer, in the serialization it was asked in. */
  answer<A extends FieldTable>(
    request: Head,
    fields: FieldSet<A> | undefined,
    reply: Reply<A>,
  ): void {
    if (this.#gone !== undefined || isOneway(request)) return
    const head = {
      code: reply.code ?? responseCode.SUCCESS,
      opaque: request.opaque,
      flag: flag.response,
      version: PROTOCOL_VERSION,
      language: LANGUAGE_OTHER,
      remark: reply.remark,
      serialization: request.serialization,
    }
    const asked = this.#askedOpaque === request.opaque
    if (asked) this.#askedOpaque = undefined
    const extra = asked ? { ...reply.extra, ...OUR_SERIALIZATION } : reply.extra
    this.#encoder.add(head, fields, reply.header, extra, reply.body)
    this.#planFlush()
  }

  /** Writes what is pending, then closes. `reason` is told to those who wait for an answer. */
  end(reason: string): void {
    if (this.#gone !== undefined) return
    this.#flush()
    this.#close(new ConnectionError(this.remote, reason))
    this.#stream.end()
  }

  /** Closes at once. `reason` is told to those who wait for an answer. */
  destroy(reason: string): void {
    this.#close(new ConnectionError(this.remote, reason))
    this.#stream.destroy()
  }

  #opaque(): number {
    this.#nextOpaque = (this.#nextOpaque + 1) & 0x7fff_ffff
    return this.#nextOpaque
  }

  #request<Q extends FieldTable, A extends FieldTable>(
    command: Command<Q, A>,
    header: Header<Q>,
    extra: ExtraFields | undefined,
    body: readonly Uint8Array[] | undefined,
    opaque: number,
    kind: number,
  ): void {
    const head = {
      code: command.code,
      opaque,
      flag: kind,
      version: PROTOCOL_VERSION,
      language: LANGUAGE_OTHER,
      remark: undefined,
      serialization: fits(command.code, this.#serialization),
    }
    const asking = this.#asking && kind === flag.request
    if (asking) {
      this.#asking = false
      this.#askOpaque = opaque
    }
    const further = asking ? { ...extra, ...OUR_SERIALIZATION } : extra
    const { translation } = this.#parts
    if (translation === undefined) this.#encoder.add(head, command.request, header, further, body)
    else {
      const asked = { header, extra: further, body }
      const sent = translation.request(command as unknown as Command, asked)
      const { request } = command as unknown as Command
      this.#encoder.add(head, request, sent.header as Header<FieldTable>, sent.extra, sent.body)
    }
    this.#planFlush()
  }

  #onData(chunk: Buffer): void {
    this.#lastActiveMs = this.#parts.clock.monotonicMs()
    this.#lastHeardMs = this.#lastActiveMs
    try {
      this.#decoder.push(chunk, this.#emit)
    } catch (error) {
      if (!(error instanceof FrameError)) throw error
      this.#parts.logger.warn('A connection was closed because its peer broke the protocol.', {
        peer: this.remote,
        reason: error.message,
      })
      this.destroy(`${this.remote} broke the protocol: ${error.message}`)
    }
  }

  #onFrame(frame: Frame): void {
    if (this.#gone !== undefined) return
    if (!isResponse(frame.head)) {
      if (this.#mayBeAsked) this.#noteQuestion(frame.head)
      this.#parts.onRequest(this, frame)
      return
    }
    const call = this.#calls.get(frame.head.opaque)
    // Go clients ask without the one-way flag and forget: an answer nobody waits for is no error.
    if (call === undefined) return
    this.#calls.delete(frame.head.opaque)
    if (frame.head.opaque === this.#askOpaque && showsMsgpack(frame.head)) {
      this.#serialization = serialization.msgpack
    }
    const { translation } = this.#parts
    const body = translation?.answer(call.command, frame.body) ?? frame.body
    call.resolve(new ReceivedAnswer(call.command, frame.head, body))
  }

  #noteQuestion(head: Head): void {
    if (isOneway(head)) return
    this.#mayBeAsked = false
    if (showsMsgpack(head)) this.#askedOpaque = head.opaque
  }

  /** At the end of the turn, or at once when so much came together that the peer may begin with it. */
  #planFlush(): void {
    if (this.#encoder.pendingBytes >= FLUSH_AT_BYTES) return this.#write()
    if (this.#flushPlanned) return
    this.#flushPlanned = true
    this.#parts.clock.soon(() => this.#flush())
  }

  #flush(): void {
    this.#flushPlanned = false
    this.#write()
  }

  #write(): void {
    if (this.#gone !== undefined || this.#encoder.pendingBytes === 0) return
    this.#lastActiveMs = this.#parts.clock.monotonicMs()
    this.#stream.write(this.#encoder.take())
    const buffered = this.#stream.bufferedBytes
    if (buffered > CLOSE_ABOVE_BYTES) {
      this.destroy(`${this.remote} has stopped reading: ${buffered} bytes wait to be sent`)
    } else if (buffered > PAUSE_READING_ABOVE_BYTES && !this.#readingPaused) {
      this.#readingPaused = true
      this.#stream.pauseReading(true)
    }
  }

  #onDrained(): void {
    if (!this.#readingPaused) return
    this.#readingPaused = false
    this.#stream.pauseReading(false)
  }

  /** One timer serves all calls: it stands at the earliest deadline. */
  #expireAt(deadlineMs: number): void {
    if (deadlineMs >= this.#expiryMs) return
    this.#expiry?.cancel()
    this.#expiryMs = deadlineMs
    const delayMs = Math.max(0, deadlineMs - this.#parts.clock.monotonicMs())
    this.#expiry = this.#parts.clock.after(delayMs, () => this.#expire())
  }

  #expire(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const [opaque, call] of this.#calls) {
      if (call.deadlineMs > nowMs) {
        nextMs = Math.min(nextMs, call.deadlineMs)
        continue
      }
      this.#calls.delete(opaque)
      call.reject(new TimeoutError(this.remote, call.command.name, call.timeoutMs))
    }
    this.#expiryMs = Number.POSITIVE_INFINITY
    if (nextMs !== Number.POSITIVE_INFINITY) this.#expireAt(nextMs)
  }

  #onClosed(cause: Error | undefined): void {
    const why = cause === undefined ? 'the peer closed it' : cause.message
    this.#close(
      new ConnectionError(this.remote, `the connection to ${this.remote} broke: ${why}`, { cause }),
    )
  }

  #close(reason: Error): void {
    if (this.#gone !== undefined) return
    this.#gone = reason
    this.#expiry?.cancel()
    const calls = [...this.#calls.values()]
    this.#calls.clear()
    for (const call of calls) call.reject(reason)
    this.#parts.onClose(this)
    this.#abort.abort()
  }
}

/** The answer if it is a success. Throws `RemoteError` for every other code. */
export function successful<A extends FieldTable>(
  address: string,
  command: Command<FieldTable, A>,
  answer: Answer<A>,
): Answer<A> {
  if (answer.code === responseCode.SUCCESS) return answer
  throw new RemoteError(address, command.name, answer.code, answer.remark)
}

/** A class, for its methods are shared: an answer costs one object. */
class ReceivedAnswer implements Answer {
  readonly #command: Command
  readonly #head: Head
  readonly body: Buffer

  constructor(command: Command, head: Head, body: Buffer) {
    this.#command = command
    this.#head = head
    this.body = body
  }

  get code(): number {
    return this.#head.code
  }

  get remark(): string | undefined {
    return this.#head.remark
  }

  get version(): number {
    return this.#head.version
  }

  header(): Header<FieldTable> {
    return this.#command.answer.decode(this.#head.ext, this.#command.answerSubject)
  }

  extra(key: string): string | undefined {
    return extraField(this.#head.ext, key)
  }
}

/** Whether the ext fields say that the sender reads msgpack heads. */
function showsMsgpack(head: Head): boolean {
  return extraField(head.ext, ACCEPT_SERIALIZATION) === OUR_SERIALIZATION[ACCEPT_SERIALIZATION]
}

/** Codes beyond 16 bits cannot travel in a binary head. */
function fits(code: number, wanted: Serialization): Serialization {
  return wanted === serialization.binary && code > 0x7fff ? serialization.json : wanted
}
