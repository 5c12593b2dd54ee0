/**
 * What runs in processes of its own for `consume.mjs`: a sender, a consumer that is behind, and a
 * pair of both for the time a message takes.
 */
import { DefaultProducer, PushConsumer } from '@rockhopper/client'
import { timed } from './store-ground.mjs'
import { dropPages } from './store-pages.mjs'

export const parts = { sender, consumer, pair }

const TOPIC = 'BenchmarkTopic'
const QUEUES = 8
const BATCH = 250
const BATCHES_IN_FLIGHT = 8
/** A sender that cannot keep its rate has this many messages in flight. */
const SENDS_IN_FLIGHT = 256
const SEND_TICK_MS = 2
/** A machine that others use as well may be slow: that is no failure of a send. */
const SEND_TIMEOUT_MS = 60_000
const PROBES = 500
const PROBE_PAUSE_MS = 20

async function sender({ namesrvAddr, autoBatch = false }) {
  const producer = await startProducer(namesrvAddr, autoBatch)
  let sending
  return {
    fill: (count, bodyBytes) =>
      timed(async () => {
        const message = { topic: TOPIC, body: Buffer.alloc(bodyBytes, 120), tag: 'A' }
        await producer.send(message)
        let left = count - 1
        const chain = async () => {
          while (left > 0) {
            const size = Math.min(BATCH, left)
            left -= size
            await producer.sendBatch(Array.from({ length: size }, () => message))
          }
        }
        await Promise.all(Array.from({ length: BATCHES_IN_FLIGHT }, chain))
        return count
      }),
    begin(perSecond, bodyBytes) {
      const stop = new AbortController()
      const figures = sendSteadily(producer, perSecond, bodyBytes, stop.signal)
      sending = { stop, figures }
    },
    /** What was sent since the beginning, `afterMs` from now. */
    async end(afterMs) {
      await delay(afterMs)
      sending.stop.abort()
      return sending.figures
    },
    close: () => producer.close(),
  }
}

/** Sends what is due at each tick; what cannot be in flight yet is due still, and then late. */
async function sendSteadily(producer, perSecond, bodyBytes, signal) {
  const message = { topic: TOPIC, body: Buffer.alloc(bodyBytes, 120), tag: 'A' }
  const latencies = []
  let inFlight = 0
  const sendOne = async () => {
    inFlight++
    const startMs = performance.now()
    const { status } = await producer.sendAsync(message)
    latencies.push(performance.now() - startMs)
    if (status !== 'SEND_OK') throw new Error(`a send ended with ${status}`)
    inFlight--
  }
  const startMs = performance.now()
  let sent = 0
  while (!signal.aborted) {
    const due = ((performance.now() - startMs) / 1_000) * perSecond
    while (sent < due && inFlight < SENDS_IN_FLIGHT) {
      sendOne()
      sent++
    }
    await delay(SEND_TICK_MS)
  }
  const count = latencies.length
  const seconds = (performance.now() - startMs) / 1_000
  return { count, perSecond: count / seconds, p99Ms: percentile(latencies, 0.99) }
}

/** A new group each time: it has everything before it. */
async function consumer({ namesrvAddr, isCold, storeFolder }) {
  const group = `bench-${process.pid}`
  const options = { group, namesrvAddr, consumeFromWhere: 'first' }
  const behind = new PushConsumer(options)
  return {
    async catchUp(count) {
      if (isCold && !dropPages(storeFolder)) throw new Error('the page cache cannot be emptied')
      let seen = 0
      let tell = () => {}
      let tellAt = 1
      behind.subscribe(TOPIC, '*', () => {
        seen++
        if (seen === tellAt) tell()
      })
      const reached = (target) => {
        tellAt = target
        return new Promise((resolve) => {
          tell = resolve
        })
      }
      const first = reached(1)
      await behind.start()
      await first
      return timed(async () => {
        await reached(count)
        return count - 1
      })
    },
    close: () => behind.close(),
  }
}

/** A producer and a consumer in one process, that has one clock. */
async function pair({ namesrvAddr }) {
  const topic = 'LatencyTopic'
  const producer = await startProducer(namesrvAddr)
  const reader = new PushConsumer({
    group: `latency-${process.pid}`,
    namesrvAddr,
    consumeFromWhere: 'first',
  })
  const heardMs = new Map()
  const wakers = new Map()
  reader.subscribe(topic, '*', ({ msgId }) => {
    heardMs.set(msgId, performance.now())
    wakers.get(msgId)?.()
  })
  const probe = async (body) => {
    const { msgId } = await producer.send({ topic, body })
    const acknowledgedMs = performance.now()
    if (!heardMs.has(msgId)) await new Promise((resolve) => wakers.set(msgId, resolve))
    return Math.max(0, heardMs.get(msgId) - acknowledgedMs)
  }
  return {
    async latency(bodyBytes) {
      const body = Buffer.alloc(bodyBytes, 120)
      await producer.send({ topic, body })
      await reader.start()
      const latencies = []
      for (let i = 0; i < PROBES; i++) {
        latencies.push(await probe(body))
        await delay(PROBE_PAUSE_MS)
      }
      const counted = latencies.slice(PROBES / 10)
      const at = (share) => percentile(counted, share)
      return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
    },
    async close() {
      await reader.close()
      await producer.close()
    },
  }
}

async function startProducer(namesrvAddr, autoBatch = false) {
  const producer = new DefaultProducer({
    group: 'bench',
    namesrvAddr,
    newTopicQueues: QUEUES,
    autoBatch,
    sendTimeoutMs: SEND_TIMEOUT_MS,
  })
  await producer.start()
  return producer
}

function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0
}

function delay(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
