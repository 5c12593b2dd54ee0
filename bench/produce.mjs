/**
 * A producer and a broker process, as applications send: one message a request, sharing requests by
 * themselves, in batches of 32, and 64 senders that each wait for their answer. 128-byte bodies
 * unless said otherwise. Producer and broker share this machine.
 */
import { parseArgs } from 'node:util'
import { DefaultProducer } from '@rockhopper/client'
import { startCluster } from './cluster.mjs'
import { loadLine, machineLine } from './machine.mjs'

const TOPIC = 'BenchmarkTopic'

/** Each: options of the producer, messages of a send, chains of sends, how one is sent. */
const ways = {
  async: {
    what: 'one message a request, sendAsync',
    options: {},
    perSend: 1,
    chains: (inFlight) => inFlight,
    send: (producer, message) => producer.sendAsync(message),
  },
  auto: {
    what: 'autoBatch, sendAsync',
    options: { autoBatch: true },
    perSend: 1,
    chains: (inFlight) => inFlight,
    send: (producer, message) => producer.sendAsync(message),
  },
  batch: {
    what: 'explicit batches of 32',
    options: {},
    perSend: 32,
    chains: () => 16,
    send: (producer, message) => producer.sendBatch(new Array(32).fill(message)),
  },
  sync: {
    what: '64 synchronous senders',
    options: {},
    perSend: 1,
    chains: () => 64,
    send: (producer, message) => producer.send(message),
  },
  'sync-auto': {
    what: '64 synchronous senders, autoBatch',
    options: { autoBatch: true },
    perSend: 1,
    chains: () => 64,
    send: (producer, message) => producer.send(message),
  },
}

export async function run(flags) {
  const { values } = parseArgs({
    args: flags,
    options: {
      seconds: { type: 'string', default: '3' },
      'in-flight': { type: 'string', default: '1024' },
      body: { type: 'string', default: '128' },
      flush: { type: 'string', default: 'ASYNC_FLUSH' },
      only: { type: 'string', default: Object.keys(ways).join(',') },
    },
  })
  process.stdout.write(`${machineLine()}\n${loadLine()}\n`)
  const cluster = await startCluster({ settings: { flushDiskType: values.flush } })
  try {
    for (const name of values.only.split(',')) {
      const way = ways[name]
      if (way === undefined) throw new Error(`--only takes some of ${Object.keys(ways).join(',')}`)
      await measure(cluster, way, {
        seconds: Number(values.seconds),
        inFlight: Number(values['in-flight']),
        body: Buffer.alloc(Number(values.body), 120),
      })
    }
  } finally {
    await cluster.stop()
  }
}

async function measure(cluster, way, { seconds, inFlight, body }) {
  const producer = new DefaultProducer({
    group: 'bench',
    namesrvAddr: cluster.namesrvAddr,
    maxInFlight: inFlight,
    // On a machine that is busy with other things a send must not fail for its time.
    sendTimeoutMs: 60_000,
    ...way.options,
  })
  await producer.start()
  const message = { topic: TOPIC, body, tag: 'A' }
  await producer.send(message)
  await sendFor(producer, way, message, inFlight, 0.5)
  const cpuBefore = cluster.brokerCpuMicros()
  const ownBefore = process.cpuUsage()
  const { count, tookMs, latencies } = await sendFor(producer, way, message, inFlight, seconds)
  const brokerMicros = (cluster.brokerCpuMicros() - cpuBefore) / count
  const own = process.cpuUsage(ownBefore)
  await producer.close()
  const sorted = Float64Array.from(latencies).sort()
  const at = (share) => (sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN).toFixed(2)
  process.stdout.write(
    `${way.what}, ${body.length} B: ` +
      `${Math.round((count / tookMs) * 1_000).toLocaleString('en')} msg/s, ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, broker ${brokerMicros.toFixed(2)} µs CPU each, ` +
      `producer ${((own.user + own.system) / count).toFixed(2)} µs CPU each\n`,
  )
}

/** Chains of sends for some time, each starting the next when its answer is there. */
async function sendFor(producer, way, message, inFlight, seconds) {
  const latencies = []
  const startMs = performance.now()
  const endMs = startMs + seconds * 1_000
  const chain = async () => {
    for (;;) {
      const sentMs = performance.now()
      if (sentMs >= endMs) return
      const { status } = await way.send(producer, message)
      if (status !== 'SEND_OK') throw new Error(`a send ended with ${status}`)
      latencies.push(performance.now() - sentMs)
    }
  }
  await Promise.all(Array.from({ length: way.chains(inFlight) }, chain))
  const tookMs = performance.now() - startMs
  return { count: latencies.length * way.perSend, tookMs, latencies }
}
