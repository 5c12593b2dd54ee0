/** Simulated connections behave as real ones do, and fail as they do, only repeatably. */
import { NetworkError, type Stream } from '@rockhopper/host'
import { createWorld, type SimHost, type SimWorld, type WorldOptions } from '@rockhopper/sim'
import { expect, test } from 'vitest'

/** Keeps what a stream tells. */
class Witness {
  readonly stream: Stream
  readonly chunks: Buffer[] = []
  drains = 0
  closes = 0
  cause: Error | undefined
  onData: () => void = () => {}

  constructor(stream: Stream) {
    this.stream = stream
  }

  attach(): this {
    this.stream.attach({
      data: (chunk) => {
        this.chunks.push(chunk)
        this.onData()
      },
      drained: () => {
        this.drains += 1
      },
      closed: (cause) => {
        this.closes += 1
        this.cause = cause
      },
    })
    return this
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1')
  }
}

interface Connection {
  readonly world: SimWorld
  readonly client: SimHost
  readonly server: SimHost
  readonly near: Witness
  readonly far: Witness
}

/** Two hosts with one connection between them, both ends attached. */
async function connected(seed = 1, options?: WorldOptions): Promise<Connection> {
  const world = createWorld(seed, options)
  const client = world.host('client')
  const server = world.host('server')
  const accepted: Stream[] = []
  await server.doors.network.listen({ host: '0.0.0.0', port: 10_911 }, (each) => {
    accepted.push(each)
  })
  const address = { host: 'server', port: 10_911 }
  const stream = await world.clock.settle(client.doors.network.connect(address, 3000))
  const other = accepted[0]
  if (other === undefined) throw new Error('the server accepted nothing')
  const near = new Witness(stream).attach()
  const far = new Witness(other).attach()
  return { world, client, server, near, far }
}

async function failure(world: SimWorld, promise: Promise<unknown>): Promise<NetworkError> {
  try {
    await world.clock.settle(promise)
  } catch (error) {
    if (error instanceof NetworkError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

test('nobody listens, nobody has the name, nobody has power: each refuses in its own way', async () => {
  const world = createWorld(1)
  const { network } = world.host('client').doors
  const off = world.host('off')
  off.crash()
  const cases = [
    ['client', 'ECONNREFUSED'],
    ['nowhere', 'ENOTFOUND'],
    ['off', 'ETIMEDOUT'],
  ] as const
  for (const [host, code] of cases) {
    const startMs = world.clock.monotonicMs()
    const error = await failure(world, network.connect({ host, port: 1 }, 3000))
    expect(error.code).toBe(code)
    expect(error.message).toContain(`cannot connect to ${host}:1`)
    const lastedMs = world.clock.monotonicMs() - startMs
    if (code === 'ETIMEDOUT') expect(lastedMs).toBeCloseTo(3000)
    else expect(lastedMs).toBeLessThan(10)
  }
})

test('a port has one listener at a time, and only addresses of the host can be listened on', async () => {
  const world = createWorld(1)
  const { network } = world.host('a').doors
  world.host('b')
  const first = await network.listen({ host: '10.0.0.1', port: 80 }, () => {})
  expect(
    (
      await failure(
        world,
        network.listen({ host: 'a', port: 80 }, () => {}),
      )
    ).code,
  ).toBe('EADDRINUSE')
  await first.close()
  await network.listen({ host: '::', port: 80 }, () => {})
  expect(
    (
      await failure(
        world,
        network.listen({ host: 'b', port: 81 }, () => {}),
      )
    ).code,
  ).toBe('EADDRNOTAVAIL')
  const free = await network.listen({ host: '0.0.0.0', port: 0 }, () => {})
  expect(free.address.port).toBeGreaterThan(1024)
})

test('bytes arrive whole and in order, cut and joined at random', async () => {
  const { world, near, far } = await connected(3, { network: { splitChance: 0.5 } })
  let sent = ''
  for (let i = 0; i < 200; i += 1) {
    const text = `message ${i};`
    sent += text
    near.stream.write([Buffer.from(text.slice(0, 4)), Buffer.from(text.slice(4))])
    if (i % 3 === 0) await world.clock.advance(0.3)
  }
  await world.clock.advance(100)
  expect(far.text).toBe(sent)
  const pieces = far.chunks.map(String)
  expect(pieces.some((piece) => !piece.startsWith('message'))).toBe(true)
  expect(pieces.some((piece) => piece.split(';').length > 3)).toBe(true)
})

test('both ends know the addresses of each other', async () => {
  const { near, far } = await connected()
  expect(near.stream.remote).toEqual({ host: '10.0.0.2', port: 10_911 })
  expect(near.stream.local).toEqual(far.stream.remote)
  expect(near.stream.remote).toEqual(far.stream.local)
})

test('what a sender changes after writing arrives changed, so that a test can see it', async () => {
  const { world, near, far } = await connected()
  const chunk = Buffer.from('right')
  near.stream.write([chunk])
  chunk.write('WRONG')
  await world.clock.advance(10)
  expect(far.text).toBe('WRONG')
  chunk.write('later')
  expect(far.text).toBe('WRONG')
})

test('events never come from inside a method of the stream', async () => {
  const { world, near, far } = await connected()
  far.stream.pauseReading(true)
  near.stream.write([Buffer.from('x')])
  await world.clock.advance(10)
  far.stream.pauseReading(false)
  expect(far.text).toBe('')
  near.stream.destroy()
  expect(near.closes).toBe(0)
  await world.clock.advance(10)
  expect([far.text, near.closes]).toEqual(['x', 1])
})

test('bytes before attach are held back, and so is the close', async () => {
  const world = createWorld(1)
  const accepted: Stream[] = []
  const server = world.host('server').doors.network
  await server.listen({ host: '0.0.0.0', port: 1 }, (each) => accepted.push(each))
  const address = { host: '10.0.0.1', port: 1 }
  const client = world.host('client').doors.network
  const near = new Witness(await world.clock.settle(client.connect(address, 100)))
  accepted[0]?.write([Buffer.from('early')])
  accepted[0]?.end()
  await world.clock.advance(10)
  near.attach()
  expect(near.text).toBe('')
  await world.clock.advance(10)
  expect([near.text, near.closes]).toEqual(['early', 1])
})

test('a receiver that does not read fills the window, then the buffer of the sender', async () => {
  const { world, near, far } = await connected()
  far.stream.pauseReading(true)
  const size = 1 << 20
  near.stream.write([Buffer.alloc(size, 'x')])
  await world.clock.advance(50)
  expect(far.text).toBe('')
  expect(near.stream.bufferedBytes).toBe(size - 256 * 1024)
  expect(near.drains).toBe(0)
  far.stream.pauseReading(false)
  await world.clock.advance(50)
  expect(far.text.length).toBe(size)
  expect(near.stream.bufferedBytes).toBe(0)
  expect(near.drains).toBe(1)
})

test('an end lets everything through first, then both sides are closed in order', async () => {
  const { world, near, far } = await connected()
  near.stream.write([Buffer.alloc(1 << 20, 'x')])
  near.stream.end()
  near.stream.write([Buffer.from('too late')])
  await world.clock.advance(100)
  expect(far.text.length).toBe(1 << 20)
  expect([near.closes, far.closes]).toEqual([1, 1])
  expect([near.cause, far.cause]).toEqual([undefined, undefined])
})

test('an answer on the way when the other side ends still arrives', async () => {
  const { world, near, far } = await connected()
  near.stream.write([Buffer.from('question')])
  near.stream.end()
  far.onData = () => far.stream.write([Buffer.from('answer')])
  await world.clock.advance(100)
  expect(near.text).toBe('answer')
  expect([near.closes, far.closes]).toEqual([1, 1])
})

test('destroying a stream with unread bytes resets the other side', async () => {
  const { world, near, far } = await connected()
  far.stream.pauseReading(true)
  near.stream.write([Buffer.from('unread')])
  await world.clock.advance(10)
  far.stream.destroy()
  await world.clock.advance(10)
  expect(near.cause).toMatchObject({ code: 'ECONNRESET' })
  expect(far.cause).toBeUndefined()
})

test('bytes sent to an end that is gone are answered with a reset', async () => {
  const { world, near, far } = await connected()
  far.stream.destroy()
  near.stream.write([Buffer.alloc(1 << 20)])
  await world.clock.advance(100)
  expect([near.closes, far.closes]).toEqual([1, 1])
  expect(near.cause).toMatchObject({ code: 'ECONNRESET' })
})

test('a killed process closes its streams for its peers, and hears nothing itself', async () => {
  const { world, server, near, far } = await connected()
  far.stream.write([Buffer.from('last words')])
  server.kill()
  await world.clock.advance(10)
  expect(near.text).toBe('last words')
  expect([near.closes, far.closes]).toEqual([1, 0])
  const { network } = world.host('client').doors
  const error = await failure(world, network.connect({ host: 'server', port: 10_911 }, 3000))
  expect(error.code).toBe('ECONNREFUSED')
})

test('a machine without power says nothing; its peers learn of it when it is back', async () => {
  const { world, server, near } = await connected()
  server.crash()
  near.stream.write([Buffer.from('anybody there')])
  await world.clock.advance(10_000)
  expect(near.closes).toBe(0)
  server.restart()
  near.stream.write([Buffer.from('and now')])
  await world.clock.advance(10)
  expect(near.cause).toMatchObject({ code: 'ECONNRESET' })
})

test('a partition holds everything back and loses nothing once it is healed', async () => {
  const { world, near, far } = await connected()
  world.network.partition(['client'], ['server'])
  near.stream.write([Buffer.from('through ')])
  far.stream.write([Buffer.from('and back')])
  await world.clock.advance(5000)
  near.stream.write([Buffer.from('the cut')])
  await world.clock.advance(5000)
  expect([near.text, far.text]).toEqual(['', ''])
  world.network.heal()
  await world.clock.advance(10)
  expect([near.text, far.text]).toEqual(['and back', 'through the cut'])
})

test('a cut one way lets the other way through', async () => {
  const { world, near, far } = await connected()
  world.network.cutOneWay('client', 'server')
  near.stream.write([Buffer.from('lost for now')])
  far.stream.write([Buffer.from('heard')])
  await world.clock.advance(100)
  expect([near.text, far.text]).toEqual(['heard', ''])
})

test('a connection across a partition times out, or comes about when it is healed in time', async () => {
  const { world, client } = await connected()
  const address = { host: 'server', port: 10_911 }
  world.network.partition(['client'], ['server'])
  expect((await failure(world, client.doors.network.connect(address, 3000))).code).toBe('ETIMEDOUT')
  const attempt = client.doors.network.connect(address, 3000)
  await world.clock.advance(500)
  world.network.heal()
  const stream = await world.clock.settle(attempt)
  expect(stream.remote.host).toBe('10.0.0.2')
})

test('a connection that comes about too late for its asker is closed again', async () => {
  const world = createWorld(1, { network: { latency: [0.6, 0.6] } })
  const accepted: Witness[] = []
  await world.host('server').doors.network.listen({ host: '::', port: 1 }, (each) => {
    accepted.push(new Witness(each).attach())
  })
  const { network } = world.host('client').doors
  expect((await failure(world, network.connect({ host: 'server', port: 1 }, 1))).code).toBe(
    'ETIMEDOUT',
  )
  await world.clock.advance(10)
  expect(accepted.map((each) => each.closes)).toEqual([1])
})

test('a connection that came about leaves nothing to wait for', async () => {
  const { world } = await connected()
  await world.clock.advance(1)
  expect(world.clock.pendingCount).toBe(0)
})

test('a closed listener takes no more streams; those that are open stay open', async () => {
  const world = createWorld(1)
  const { network } = world.host('a').doors
  const accepted: Witness[] = []
  const address = { host: 'localhost', port: 1 }
  const listener = await network.listen(address, (each) => {
    accepted.push(new Witness(each).attach())
  })
  const stream = await world.clock.settle(network.connect(address, 100))
  await listener.close()
  stream.write([Buffer.from('still here')])
  expect((await failure(world, network.connect(address, 100))).code).toBe('ECONNREFUSED')
  await world.clock.advance(10)
  expect(accepted.map((each) => each.text)).toEqual(['still here'])
})

test('a stream has one receiver', async () => {
  const { near } = await connected()
  expect(() => near.attach()).toThrow('one receiver')
})

test('connections that break off are reset at both ends at once, and others can be made', async () => {
  const { client, far, near, world } = await connected()
  near.stream.write([Buffer.from('under way')])
  world.network.reset('client', 'server')
  await world.clock.advance(100)
  for (const end of [near, far]) {
    expect([end.text, end.closes, (end.cause as NetworkError).code]).toEqual(['', 1, 'ECONNRESET'])
  }
  const address = { host: 'server', port: 10_911 }
  await world.clock.settle(client.doors.network.connect(address, 100))
})

test('what a wire loses is sent again: it is late, and in order', async () => {
  const { far, near, world } = await connected()
  world.network.lossChance = 0.5
  const text = 'abcdefghij'
  for (const letter of text) near.stream.write([Buffer.from(letter)])
  await world.clock.advance(100)
  expect(text.startsWith(far.text) && far.text.length < text.length).toBe(true)
  await world.clock.advance(60_000)
  expect(far.text).toBe(text)
})

test('what is sent over a slow way is overtaken by what is sent later over another', async () => {
  const { far, near, world } = await connected()
  world.network.setWay('client', 'server', [300, 301])
  near.stream.write([Buffer.from('early')])
  await world.clock.advance(100)
  far.stream.write([Buffer.from('late')])
  await world.clock.advance(100)
  expect([far.text, near.text]).toEqual(['', 'late'])
  world.network.setWay('client', 'server', undefined)
  near.stream.write([Buffer.from('!')])
  await world.clock.advance(200)
  expect(far.text).toBe('early!')
})

test('a chunk that is only lent is overwritten once its receiver has seen it', async () => {
  const world = createWorld(1)
  const accepted: Stream[] = []
  const lender = world.host('lender').doors.network
  await lender.listen({ host: '0.0.0.0', port: 10_911 }, (each) => accepted.push(each))
  const borrower = world.host('borrower').doors.network
  const address = { host: 'lender', port: 10_911 }
  const connecting = borrower.connect(address, 3000, { lendsChunks: true })
  const near = new Witness(await world.clock.settle(connecting))
  const seen: string[] = []
  near.onData = () => seen.push(near.text)
  near.attach()
  accepted[0]?.write([Buffer.from('lent')])
  await world.clock.advance(1_000)
  expect(seen).toEqual(['lent'])
  expect(near.text).not.toContain('lent')
})
