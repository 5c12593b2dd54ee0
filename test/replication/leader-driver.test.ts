/** A master's connections, with slaves that do not behave. */
import type { Host, Listener, Network, Stream, StreamEvents } from '@rockhopper/host'
import { LeaderDriver, type LeaderOptions } from '@rockhopper/replication'
import { createWorld } from '@rockhopper/sim'
import { Watermark } from '@rockhopper/store'
import { describe, expect, it } from 'vitest'

const SEGMENT_BYTES = 64 * 1024 * 1024
const address = { host: '10.0.0.1', port: 10_912 }

/** A slave's end of a connection: what came, and when it takes more. */
class SlaveStream implements Stream {
  readonly local = address
  readonly remote = { host: '10.0.0.2', port: 40_000 }
  bufferedBytes = 0
  receivedBytes = 0
  isOpen = true
  #events: StreamEvents | undefined

  attach(events: StreamEvents): void {
    this.#events = events
  }

  write(chunks: readonly Uint8Array[]): void {
    for (const { length } of chunks) this.bufferedBytes += length
  }

  say(bytes: Buffer): void {
    this.#events?.data(bytes)
  }

  report(offset: number): void {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(offset))
    this.say(bytes)
  }

  /** Takes what waits. */
  drain(): void {
    this.receivedBytes += this.bufferedBytes
    this.bufferedBytes = 0
    this.#events?.drained()
  }

  pauseReading(): void {}

  end(): void {
    this.isOpen = false
  }

  destroy(): void {
    this.isOpen = false
  }
}

async function master(endOffset: number, given: Partial<LeaderOptions> = {}) {
  const world = createWorld(7)
  const { doors } = world.host('master')
  const written = new Watermark(doors.clock, endOffset)
  let accept: (stream: Stream) => void = () => {}
  const network: Network = {
    listen: (at, taker) => {
      accept = taker
      const listener: Listener = { address: at, close: () => Promise.resolve() }
      return Promise.resolve(listener)
    },
    connect: () => Promise.reject(new Error('a master connects to nobody')),
  }
  const host: Host = { ...doors, network }
  const zeros = Buffer.alloc(1024 * 1024)
  let replicated = 0
  const driver = new LeaderDriver(host, {
    address,
    log: {
      segmentBytes: SEGMENT_BYTES,
      minOffset: 0,
      written,
      read: (from, to) => zeros.subarray(0, to - from),
    },
    frameBytes: 32_768,
    heartbeatMs: 5_000,
    silenceMs: 20_000,
    maxLagBytes: 1_000_000,
    maxBytesPerSecond: Number.POSITIVE_INFINITY,
    enough: 1,
    onReplicated: (to) => {
      replicated = to
    },
    ...given,
  })
  await driver.start()
  const connect = (): SlaveStream => {
    const stream = new SlaveStream()
    accept(stream)
    return stream
  }
  return { connect, driver, written, world, replicated: () => replicated }
}

describe('a master', () => {
  it('has no more than some 1.3 MB waiting for a slave that does not read', async () => {
    const { connect, written, world } = await master(32 * 1024 * 1024)
    const slave = connect()
    slave.report(0)
    for (let i = 0; i < 100; i++) {
      written.advance(written.value + 100_000)
      await world.clock.advance(10)
      expect(slave.bufferedBytes).toBeLessThan(1_400_000)
    }
    while (slave.bufferedBytes > 0) slave.drain()
    const frames = Math.ceil(written.value / 32_768)
    expect(slave.receivedBytes).toBeGreaterThanOrEqual(written.value + 12 * frames)
  })

  it('counts a slow slave neither as near, nor waits for a fast one because of it', async () => {
    const { connect, driver, replicated } = await master(32 * 1024 * 1024)
    const slow = connect()
    slow.report(0)
    const fast = connect()
    fast.report(32 * 1024 * 1024)
    expect(driver.followersNear).toBe(1)
    expect(replicated()).toBe(32 * 1024 * 1024)
    expect(driver.followers.map(({ isNear }) => isNear)).toEqual([false, true])
  })

  it('tells an idle slave that it is there, and gives up one that says nothing', async () => {
    const { connect, driver, world } = await master(1_000)
    const slave = connect()
    slave.report(1_000)
    await world.clock.advance(6_000)
    expect(slave.bufferedBytes).toBe(12)
    await world.clock.advance(15_000)
    expect(slave.isOpen).toBe(false)
    expect(driver.followers).toEqual([])
  })

  it('closes the connection of somebody who is no slave, and of nobody else', async () => {
    const { connect, driver } = await master(1_000)
    const [slave, stranger] = [connect(), connect()]
    slave.report(1_000)
    stranger.say(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    expect(stranger.isOpen).toBe(false)
    expect(slave.isOpen).toBe(true)
    expect(driver.followers).toHaveLength(1)
  })

  it('takes sixty-four slaves and no more', async () => {
    const { connect } = await master(1_000)
    const slaves = Array.from({ length: 65 }, connect)
    expect(slaves.filter(({ isOpen }) => isOpen)).toHaveLength(64)
  })

  it('lets go of all slaves when it ends', async () => {
    const { connect, driver, world } = await master(1_000)
    const slave = connect()
    await world.clock.settle(driver.stop())
    expect(slave.isOpen).toBe(false)
  })
})
