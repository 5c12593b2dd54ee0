/**
 * What runs in processes of their own for `replicate.mjs`: a producer that keeps so many messages in
 * flight, and two that do the least that has to be done to copy bytes from one to a file of the other.
 */
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { DefaultProducer } from '@rockhopper/client'
import { MIB, makeFolder, timed } from './store-ground.mjs'

export const parts = { sender, rawSource, rawCopy }

const TOPIC = 'BenchmarkTopic'
/** A machine that others use as well may be slow: that is no failure of a send. */
const SEND_TIMEOUT_MS = 60_000
/** How often ASYNC_FLUSH syncs (flushIntervalCommitLog). */
const FLUSH_INTERVAL_MS = 500
const READY_TRIES = 100
const READY_PAUSE_MS = 200

async function sender({ namesrvAddr }) {
  const producer = new DefaultProducer({
    group: 'bench',
    namesrvAddr,
    maxInFlight: 4_096,
    sendTimeoutMs: SEND_TIMEOUT_MS,
  })
  await producer.start()
  return {
    /** Sends until the slave is there. */
    async ready() {
      for (let tries = 0; tries < READY_TRIES; tries++) {
        const { status } = await producer.send({ topic: TOPIC, body: Buffer.alloc(1) })
        if (status === 'SEND_OK') return
        await new Promise((resolve) => setTimeout(resolve, READY_PAUSE_MS))
      }
      throw new Error('there is no slave')
    },
    async send(seconds, inFlight, bodyBytes) {
      const message = { topic: TOPIC, body: Buffer.alloc(bodyBytes, 120), tag: 'A' }
      const latencies = []
      const startMs = performance.now()
      const endMs = startMs + seconds * 1_000
      const chain = async () => {
        for (;;) {
          const sentMs = performance.now()
          if (sentMs >= endMs) return
          const { status } = await producer.sendAsync(message)
          if (status !== 'SEND_OK') throw new Error(`a send ended with ${status}`)
          latencies.push(performance.now() - sentMs)
        }
      }
      await Promise.all(Array.from({ length: inFlight }, chain))
      const tookMs = performance.now() - startMs
      const sorted = Float64Array.from(latencies).sort()
      const at = (share) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
      return {
        perSecond: (latencies.length / tookMs) * 1_000,
        p50Ms: at(0.5),
        p99Ms: at(0.99),
      }
    },
    close: () => producer.close(),
  }
}

/** Gives so many bytes to each who connects. */
function rawSource({ mebibytes }) {
  const piece = Buffer.alloc(MIB, 120)
  const server = createServer((socket) => {
    let left = mebibytes
    const give = () => {
      while (left-- > 0) if (!socket.write(piece)) return
      socket.end()
    }
    socket.on('drain', give)
    give()
  })
  return {
    listen: () =>
      new Promise((resolve) => {
        server.listen(0, '127.0.0.1', () => resolve(server.address().port))
      }),
    close: () => server.close(),
  }
}

/** Writes what comes to a file, and syncs that twice a second as ASYNC_FLUSH does. */
function rawCopy({ folder }) {
  const path = join(makeFolder(folder), 'copy')
  return {
    copy: (port) =>
      timed(async () => {
        const file = openSync(path, 'w')
        const syncing = setInterval(() => fdatasync(file, () => {}), FLUSH_INTERVAL_MS)
        let position = 0
        for await (const chunk of connect(port, '127.0.0.1')) {
          position += writeSync(file, chunk, 0, chunk.length, position)
        }
        clearInterval(syncing)
        closeSync(file)
        return position / MIB
      }),
    close: () => {},
  }
}
