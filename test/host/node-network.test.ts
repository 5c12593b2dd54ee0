/** What the real network promises, over real loopback sockets. */
import { once } from 'node:events'
import { connect as rawConnect, type Socket } from 'node:net'
import { Worker } from 'node:worker_threads'
import {
  type ConnectOptions,
  type Listener,
  NetworkError,
  NodeNetwork,
  nextTurn,
  type Stream,
  silentLogger,
} from '@rockhopper/host'
import { afterEach, describe, expect, test } from 'vitest'

const network = new NodeNetwork(silentLogger)
const loopback = { host: '127.0.0.1', port: 0 }
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Keeps what a stream tells. */
class Witness {
  readonly stream: Stream
  readonly chunks: Buffer[] = []
  /** Where the chunks were. */
  readonly memories = new Set<ArrayBufferLike>()
  receivedBytes = 0
  drains = 0
  closed = false
  cause: Error | undefined
  #wake: () => void = () => {}

  constructor(stream: Stream) {
    this.stream = stream
    closers.push(() => stream.destroy())
  }

  attach(): this {
    this.stream.attach({
      data: (chunk) => {
        this.chunks.push(Buffer.from(chunk))
        this.memories.add(chunk.buffer)
        this.receivedBytes += chunk.length
        this.#wake()
      },
      drained: () => {
        this.drains += 1
        this.#wake()
      },
      closed: (cause) => {
        this.closed = true
        this.cause = cause
        this.#wake()
      },
    })
    return this
  }

  get received(): Buffer {
    return Buffer.concat(this.chunks)
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

interface Pair {
  readonly near: Witness
  readonly far: Witness
}

/** Two ends of one connection, not attached yet. */
async function pair(options?: ConnectOptions): Promise<Pair> {
  let accepted: (stream: Stream) => void = () => {}
  const other = new Promise<Stream>((resolve) => {
    accepted = resolve
  })
  const listener = await listen(accepted)
  const near = await network.connect(listener.address, 1000, options)
  return { near: new Witness(near), far: new Witness(await other) }
}

async function listen(accept: (stream: Stream) => void): Promise<Listener> {
  const listener = await network.listen(loopback, accept)
  closers.push(() => listener.close())
  return listener
}

/** A server and a client whose peer is a bare socket, to misbehave with. */
async function withRawClient(): Promise<{ near: Witness; raw: Socket }> {
  let accepted: (stream: Stream) => void = () => {}
  const stream = new Promise<Stream>((resolve) => {
    accepted = resolve
  })
  const listener = await listen(accepted)
  const raw = rawConnect(listener.address)
  raw.on('error', () => {})
  closers.push(() => raw.destroy())
  return { near: new Witness(await stream), raw }
}

/** A server that never accepts: its queue is soon full, and the kernel answers nobody any more. */
async function startDeafServer(): Promise<{ port: number; stop(): Promise<unknown> }> {
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const program = `
    const { parentPort, workerData } = require('node:worker_threads')
    const server = require('node:net').createServer()
    server.listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(workerData, 0, 0)
      process.exit()
    })`
  const worker = new Worker(program, { eval: true, workerData: gate })
  const [port] = await once(worker, 'message')
  const stop = (): Promise<unknown> => {
    const exited = once(worker, 'exit')
    Atomics.store(gate, 0, 1)
    Atomics.notify(gate, 0)
    return exited
  }
  return { port, stop }
}

async function failure(promise: Promise<unknown>): Promise<NetworkError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof NetworkError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

test('a port that is taken is named, with what to do', async () => {
  const { address } = await listen(() => {})
  const error = await failure(network.listen(address, () => {}))
  expect(error.code).toBe('EADDRINUSE')
  expect(error.message).toContain(`cannot listen on 127.0.0.1:${address.port}`)
  expect(error.message).toContain('listenPort=')
})

test('an address that is not ours cannot be listened on', async () => {
  const error = await failure(network.listen({ host: '192.0.2.1', port: 0 }, () => {}))
  expect(error.code).toBe('EADDRNOTAVAIL')
})

test('a port where nobody listens refuses', async () => {
  const listener = await network.listen(loopback, () => {})
  await listener.close()
  const error = await failure(network.connect(listener.address, 1000))
  expect(error.code).toBe('ECONNREFUSED')
  expect(error.message).toContain('nobody listens there')
})

test('a host that does not answer is given up after the timeout', async () => {
  const { port, stop } = await startDeafServer()
  const fillers = Array.from({ length: 4 }, () => rawConnect({ host: '127.0.0.1', port }))
  for (const filler of fillers) filler.on('error', () => {})
  const error = await failure(network.connect({ host: '127.0.0.1', port }, 30))
  for (const filler of fillers) filler.destroy()
  await stop()
  expect(error.code).toBe('ETIMEDOUT')
  expect(error.message).toContain(`127.0.0.1:${port}: no answer within 30 ms`)
})

test('chunks of one write arrive in order, small and large, and buffered bytes go to 0', async () => {
  const { near, far } = await pair()
  far.attach()
  near.attach()
  const chunks = [10, 600, 3, 4, 200_000, 512, 513, 1].map((size, index) =>
    Buffer.alloc(size, 97 + index),
  )
  const whole = Buffer.concat(chunks)
  near.stream.write(chunks)
  near.stream.write([])
  near.stream.write([Buffer.from('!')])
  await far.until(() => far.receivedBytes === whole.length + 1)
  expect(far.received.equals(Buffer.concat([whole, Buffer.from('!')]))).toBe(true)
  expect(near.stream.bufferedBytes).toBe(0)
})

test('a write larger than the high water mark is followed by drained', async () => {
  const { near, far } = await pair()
  near.attach()
  const size = 32 << 20
  near.stream.write([Buffer.alloc(size)])
  expect(near.stream.bufferedBytes).toBeGreaterThan(0)
  await nextTurn()
  expect(near.drains).toBe(0)
  far.attach()
  await near.until(() => near.drains === 1)
  expect(near.stream.bufferedBytes).toBe(0)
  await far.until(() => far.receivedBytes === size)
})

test('bytes that come before attach are held back until then', async () => {
  for (const first of ['near', 'far'] as const) {
    const both = await pair()
    const [sender, receiver] = first === 'near' ? [both.near, both.far] : [both.far, both.near]
    sender.stream.write([Buffer.from('early')])
    for (let i = 0; i < 20; i += 1) await nextTurn()
    receiver.attach()
    expect(receiver.receivedBytes).toBe(0)
    await receiver.until(() => receiver.receivedBytes === 5)
  }
})

test('an end sends what is buffered, then both sides hear of an orderly close', async () => {
  const { near, far } = await pair()
  near.attach()
  far.attach()
  const size = 8 << 20
  near.stream.write([Buffer.alloc(size)])
  near.stream.end()
  near.stream.write([Buffer.from('too late')])
  await far.until(() => far.closed)
  await near.until(() => near.closed)
  expect(far.receivedBytes).toBe(size)
  expect([near.cause, far.cause]).toEqual([undefined, undefined])
})

test('destroy reports its close later, not from inside the call, and later writes are nothing', async () => {
  const { near, far } = await pair()
  near.attach()
  far.attach()
  near.stream.destroy()
  expect(near.closed).toBe(false)
  near.stream.write([Buffer.from('x'), Buffer.alloc(1000)])
  near.stream.end()
  await near.until(() => near.closed)
  await far.until(() => far.closed)
  expect(near.cause).toBeUndefined()
})

test('a peer that resets the connection is the cause of its close', async () => {
  const { near, raw } = await withRawClient()
  near.attach()
  raw.resetAndDestroy()
  await near.until(() => near.closed)
  expect(near.cause).toBeInstanceOf(NetworkError)
  expect(near.cause?.message).toMatch(
    /^the connection to 127\.0\.0\.1:\d+ broke: .*\(ECONNRESET\)$/,
  )
})

test('a stream that closed before attach says so after it', async () => {
  const { near, far } = await pair()
  far.stream.destroy()
  near.stream.destroy()
  for (let i = 0; i < 20; i += 1) await nextTurn()
  near.attach()
  expect(near.closed).toBe(false)
  await near.until(() => near.closed)
})

test('reading stops while paused and goes on afterwards', async () => {
  const { near, far } = await pair()
  far.attach()
  far.stream.pauseReading(true)
  near.stream.write([Buffer.from('held')])
  for (let i = 0; i < 20; i += 1) await nextTurn()
  expect(far.receivedBytes).toBe(0)
  far.stream.pauseReading(false)
  await far.until(() => far.receivedBytes === 4)
})

test('a pause before attach holds after it', async () => {
  const { near, far } = await pair()
  far.stream.pauseReading(true)
  far.attach()
  near.stream.write([Buffer.from('held')])
  for (let i = 0; i < 20; i += 1) await nextTurn()
  expect(far.receivedBytes).toBe(0)
  far.stream.pauseReading(false)
  await far.until(() => far.receivedBytes === 4)
})

test('a closed listener frees its port and leaves its streams open', async () => {
  const streams: Stream[] = []
  const listener = await network.listen(loopback, (stream) => streams.push(stream))
  const near = new Witness(await network.connect(listener.address, 1000)).attach()
  while (streams.length === 0) await nextTurn()
  await listener.close()
  const again = await network.listen(listener.address, () => {})
  streams[0]?.write([Buffer.from('still here')])
  await near.until(() => near.receivedBytes === 10)
  streams[0]?.destroy()
  await again.close()
})

test('both ends know the addresses of each other', async () => {
  const { near, far } = await pair()
  expect(near.stream.local).toEqual(far.stream.remote)
  expect(near.stream.remote).toEqual(far.stream.local)
  expect(near.stream.remote.host).toBe('127.0.0.1')
})

test('an IPv4 peer of a listener on all addresses is given as IPv4', async () => {
  let remote = ''
  const listener = await network.listen({ host: '::', port: 0 }, (stream) => {
    remote = stream.remote.host
    stream.destroy()
  })
  const address = { host: '127.0.0.1', port: listener.address.port }
  const near = new Witness(await network.connect(address, 1000)).attach()
  await near.until(() => near.closed)
  await listener.close()
  expect(remote).toBe('127.0.0.1')
})

test('a stream has one receiver', async () => {
  const { near } = await pair()
  near.attach()
  expect(() => near.attach()).toThrow('one receiver')
})

describe('a stream that lends its chunks', () => {
  const lent = { lendsChunks: true }

  test('gives all bytes in their order, out of the same memory', async () => {
    const { near, far } = await pair(lent)
    near.attach()
    far.attach()
    const bytes = Buffer.from(Uint32Array.from({ length: 1 << 20 }, (_, i) => i).buffer)
    far.stream.write([bytes])
    await near.until(() => near.receivedBytes === bytes.length)
    expect(near.received.equals(bytes)).toBe(true)
    expect(near.chunks.length).toBeGreaterThan(1)
    expect(near.memories.size).toBe(1)
  })

  test('writes as any other', async () => {
    const { near, far } = await pair(lent)
    near.attach()
    far.attach()
    near.stream.write([Buffer.from('one '), Buffer.alloc(70_000, 'x')])
    await far.until(() => far.receivedBytes === 70_004)
    expect(far.received.toString('latin1', 0, 6)).toBe('one xx')
  })

  test('holds back what comes before attach, or while it is paused', async () => {
    const { near, far } = await pair(lent)
    far.stream.write([Buffer.from('early')])
    for (let i = 0; i < 20; i += 1) await nextTurn()
    near.stream.pauseReading(true)
    near.attach()
    for (let i = 0; i < 20; i += 1) await nextTurn()
    expect(near.receivedBytes).toBe(0)
    near.stream.pauseReading(false)
    await near.until(() => near.receivedBytes === 5)
    near.stream.pauseReading(true)
    far.stream.write([Buffer.from('late')])
    for (let i = 0; i < 20; i += 1) await nextTurn()
    expect(near.receivedBytes).toBe(5)
    near.stream.pauseReading(false)
    await near.until(() => near.receivedBytes === 9)
    expect(near.received.toString()).toBe('earlylate')
  })

  test('closes in order behind the last byte when its peer ends', async () => {
    const { near, far } = await pair(lent)
    near.attach()
    far.attach()
    far.stream.write([Buffer.alloc(1 << 20)])
    far.stream.end()
    await near.until(() => near.closed)
    expect([near.receivedBytes, near.cause]).toEqual([1 << 20, undefined])
  })

  test('tells of a reset, and of its own end', async () => {
    const { near, far } = await pair(lent)
    near.attach()
    far.stream.write([Buffer.alloc(8 << 20)])
    near.stream.destroy()
    await near.until(() => near.closed)
    expect(near.cause).toBeUndefined()
    far.attach()
    await far.until(() => far.closed)
    expect(far.cause).toBeInstanceOf(NetworkError)
  })
})
