/**
 * Real sockets. Owns them; Node does the buffering. This is the hot path: a chunk from the kernel
 * reaches its owner in one call, and all chunks of a `write` leave in one system call.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { Logger } from './logger.ts'
import { mergeSmall } from './merge-small.ts'
import {
  type Address,
  type ConnectOptions,
  formatAddress,
  type Listener,
  type Network,
  NetworkError,
  type Stream,
  type StreamEvents,
} from './network.ts'
import { nextTurn } from './turn.ts'

/** Connections the kernel keeps that were not accepted yet; beyond, peers try again. */
const BACKLOG = 1024
/** From so many buffered bytes on, `drained` follows when they have left. */
const HIGH_WATER_BYTES = 64 * 1024
/** What a stream that lends its chunks reads at a time, at the most. */
const LENT_BYTES = 256 * 1024
/** After so much silence the kernel asks whether the peer is still there. */
const KEEP_ALIVE_AFTER_MS = 60_000
/** Failures to accept come in floods (no descriptors left); one line in this time is enough. */
const ACCEPT_WARNING_PAUSE_MS = 10_000

const SOCKET_OPTIONS = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: KEEP_ALIVE_AFTER_MS,
  highWaterMark: HIGH_WATER_BYTES,
} as const

/** The memory that a stream lends again and again, and who gets it. */
class Lending {
  receiver: ((chunk: Buffer) => void) | undefined

  readonly options = {
    onread: {
      buffer: Buffer.allocUnsafeSlow(LENT_BYTES),
      callback: (sizeBytes: number, memory: Uint8Array): boolean => {
        this.receiver?.(Buffer.from(memory.buffer, memory.byteOffset, sizeBytes))
        return true
      },
    },
  }
}

class NodeStream implements Stream {
  readonly local: Address
  readonly remote: Address
  readonly #socket: Socket
  readonly #lending: Lending | undefined
  #events: StreamEvents | undefined
  #cause: Error | undefined
  #closed = false
  #paused = false

  constructor(socket: Socket, lending?: Lending) {
    this.#socket = socket
    this.#lending = lending
    this.local = addressOf(socket.localAddress, socket.localPort)
    this.remote = addressOf(socket.remoteAddress, socket.remotePort)
    socket.on('error', (error) => {
      this.#cause = brokenStream(error, this.remote)
    })
    socket.on('close', () => {
      this.#closed = true
      this.#events?.closed(this.#cause)
    })
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  attach(events: StreamEvents): void {
    if (this.#events !== undefined) throw new Error('a stream has one receiver of its events')
    this.#events = events
    if (this.#closed) {
      setImmediate(() => events.closed(this.#cause))
      return
    }
    this.#socket.on('drain', () => events.drained())
    const receive = (chunk: Buffer): void => events.data(chunk)
    if (this.#lending === undefined) this.#socket.on('data', receive)
    else this.#lending.receiver = receive
    if (!this.#paused) this.#socket.resume()
  }

  write(chunks: readonly Uint8Array[]): void {
    const socket = this.#socket
    if (!socket.writable) return
    const parts = mergeSmall(chunks)
    const first = parts[0]
    if (first !== undefined && parts.length === 1) {
      socket.write(first)
      return
    }
    socket.cork()
    for (const part of parts) socket.write(part)
    socket.uncork()
  }

  pauseReading(paused: boolean): void {
    this.#paused = paused
    if (paused) this.#socket.pause()
    else if (this.#events !== undefined) this.#socket.resume()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

export class NodeNetwork implements Network {
  readonly #logger: Logger
  #acceptWarnedMs = Number.NEGATIVE_INFINITY

  constructor(logger: Logger) {
    this.#logger = logger
  }

  listen(address: Address, accept: (stream: Stream) => void): Promise<Listener> {
    const server = createServer(SOCKET_OPTIONS, (socket) => accept(new NodeStream(socket)))
    return new Promise((resolve, reject) => {
      const refuse = (error: Error): void => reject(cannotListen(error, address))
      server.once('error', refuse)
      server.listen({ ...address, backlog: BACKLOG, exclusive: true }, () => {
        server.off('error', refuse)
        server.on('error', (error) => this.#warnOfAccept(error, address))
        resolve(new NodeListener(server))
      })
    })
  }

  connect(
    address: Address,
    timeoutMs: number,
    { lendsChunks = false }: ConnectOptions = {},
  ): Promise<Stream> {
    const lending = lendsChunks ? new Lending() : undefined
    const socket = connect({ ...SOCKET_OPTIONS, ...address, ...lending?.options })
    // Otherwise it reads before there is a receiver.
    if (lending !== undefined) socket.pause()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        socket.destroy()
        reject(connectTimeout(address, timeoutMs))
      }, timeoutMs)
      const refuse = (error: Error): void => {
        clearTimeout(timer)
        reject(cannotConnect(error, address))
      }
      socket.once('error', refuse)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', refuse)
        resolve(new NodeStream(socket, lending))
      })
    })
  }

  #warnOfAccept(error: Error, address: Address): void {
    const nowMs = performance.now()
    if (nowMs - this.#acceptWarnedMs < ACCEPT_WARNING_PAUSE_MS) return
    this.#acceptWarnedMs = nowMs
    this.#logger.warn(
      'A connection could not be accepted: raise the limit of open files (ulimit -n) if it is EMFILE.',
      { address: formatAddress(address), error },
    )
  }
}

class NodeListener implements Listener {
  readonly address: Address
  readonly #server: Server

  constructor(server: Server) {
    this.#server = server
    const bound = server.address() as AddressInfo
    this.address = { host: bound.address, port: bound.port }
  }

  /** The callback of Node's `close` would wait for the streams, too; the port is free before. */
  close(): Promise<void> {
    this.#server.close()
    return nextTurn()
  }
}

/** An IPv4 peer of a socket that listens on `::` is given as IPv4. */
function addressOf(host: string | undefined, port: number | undefined): Address {
  return { host: (host ?? '0.0.0.0').replace(/^::ffff:(?=\d+\.)/, ''), port: port ?? 0 }
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : 'UNKNOWN'
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'another process listens there. Is another broker or name server running? ' +
    'Stop it, or choose another port (listenPort=…)',
  EADDRNOTAVAIL:
    'no network interface of this machine has that address (see bindAddress, brokerIP1)',
  EACCES: 'ports below 1024 need privileges: choose another one (listenPort=…)',
  ENOTFOUND: 'the host name is unknown',
}

const CONNECT_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there. Is the server running, and the address right?',
  ENOTFOUND: 'the host name is unknown',
  EHOSTUNREACH: 'there is no route to that host',
  ENETUNREACH: 'there is no route to that network',
  ETIMEDOUT: 'the host does not answer',
}

function cannotListen(error: Error, address: Address): NetworkError {
  const code = codeOf(error)
  const reason = LISTEN_REASONS[code] ?? error.message
  return new NetworkError(code, `cannot listen on ${formatAddress(address)}: ${reason} (${code})`, {
    cause: error,
  })
}

function cannotConnect(error: Error, address: Address): NetworkError {
  const code = codeOf(error)
  const reason = CONNECT_REASONS[code] ?? error.message
  return new NetworkError(
    code,
    `cannot connect to ${formatAddress(address)}: ${reason} (${code})`,
    {
      cause: error,
    },
  )
}

function connectTimeout(address: Address, timeoutMs: number): NetworkError {
  const message =
    `cannot connect to ${formatAddress(address)}: no answer within ${timeoutMs} ms. ` +
    'Is the host up, and does a firewall let the port through? (ETIMEDOUT)'
  return new NetworkError('ETIMEDOUT', message)
}

function brokenStream(error: Error, remote: Address): NetworkError {
  const code = codeOf(error)
  const message = `the connection to ${formatAddress(remote)} broke: ${error.message} (${code})`
  return new NetworkError(code, message, { cause: error })
}
