/**
 * The third door: byte streams between addresses. Framing, requests and answers live in `remoting`.
 */

export interface Address {
  /** An IP address or a host name, without brackets. */
  readonly host: string
  readonly port: number
}

/** What a stream tells its owner. Called from the loop, never from inside a method of the stream. */
export interface StreamEvents {
  /**
   * Bytes from the peer; the chunk belongs to the receiver from then on, unless the stream was asked
   * for with `lendsChunks`.
   */
  data(chunk: Buffer): void
  /**
   * What was written has left the process: `bufferedBytes` is 0. Comes once for any time that it
   * had reached 64 KiB; a sender that waits at a smaller number may wait in vain.
   */
  drained(): void
  /** The stream is gone, once and for all; `cause` is absent when it was closed in order. */
  closed(cause: Error | undefined): void
}

export interface Stream {
  readonly local: Address
  readonly remote: Address
  /** Bytes handed over by `write` that the operating system has not taken yet. */
  readonly bufferedBytes: number
  /** Names the receiver of events; bytes that came before are held back until then. */
  attach(events: StreamEvents): void
  /**
   * Sends the chunks one behind the other, in one go; they must not change afterwards. Does nothing
   * once the stream is closed, or was told to end.
   */
  write(chunks: readonly Uint8Array[]): void
  /** Stops (`true`) or resumes (`false`) the reading, to hold back a peer that sends too fast. */
  pauseReading(paused: boolean): void
  /** Sends what is buffered, then closes. */
  end(): void
  /** Closes at once. */
  destroy(): void
}

export interface Listener {
  readonly address: Address
  /** Takes no more streams; those that are open stay open. */
  close(): Promise<void>
}

export interface ConnectOptions {
  /**
   * Chunks are only lent for the call: the next bytes go to the same memory. For who copies what comes
   * anyway, and has much of it: chunks of its own are garbage that is expensive to collect.
   */
  readonly lendsChunks?: boolean
}

export interface Network {
  /** Rejects with `NetworkError` when the address is taken or not ours. Port 0 picks a free one. */
  listen(address: Address, accept: (stream: Stream) => void): Promise<Listener>
  /** Rejects with `NetworkError` when there is no connection after `timeoutMs`. */
  connect(address: Address, timeoutMs: number, options?: ConnectOptions): Promise<Stream>
}

/** An address could not be listened on or reached. `code`: EADDRINUSE, ECONNREFUSED, ETIMEDOUT … */
export class NetworkError extends Error {
  override readonly name = 'NetworkError'
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** `host:port`, an IPv6 host in brackets. */
export function formatAddress(address: Address): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host
  return `${host}:${address.port}`
}

/** Reads `host:port` or `[v6]:port`; undefined when the text is not of that form. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([^:\s]+)):(\d{1,5})$/.exec(text.trim())
  if (match === null) return undefined
  const port = Number(match[3])
  if (port > 65_535) return undefined
  return { host: match[1] ?? match[2] ?? '', port }
}
