/**
 * A producer and a broker process, as applications send: one message a request, sharing requests by
 * themselves, in batches of 32, 64 senders that each wait for their answer, transactions, and messages
 * that come later. 128-byte bodies unless said otherwise. Producer and broker share this machine.
 * Each way has several rounds: the median of their rates is told, with the least and the greatest.
 */
import { parseArgs } from 'node:util'
import { DefaultProducer, PullConsumer, TransactionProducer } from '@rockhopper/client'
import { startCluster } from './cluster.mjs'
import { loadLine, machineLine } from './machine.mjs'

const TOPIC = 'BenchmarkTopic'

/** A message that is due long after the run. */
const LONG_LEVEL = 18
const LONG_MS = 7_200_000
const LOOK_AGAIN_MS = 2

/**
 * Each: options of the producer, messages of a send, chains of sends, how one is sent. With `seen` a
 * round is over when all that was sent can be consumed; `topic` is another one, `more` of the message.
 */
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
  transactions: {
    what: 'transactions that are committed, until consumers can see them',
    options: {},
    perSend: 1,
    topic: 'BenchmarkTransactions',
    chains: (inFlight) => Math.min(inFlight, 512),
    producer: (options) => new TransactionProducer({ ...options, listener: COMMIT }),
    send: (producer, message) => producer.sendInTransaction(message, undefined),
    seen: true,
  },
  level: {
    what: 'messages with a level of delay (18: 2 h), sendAsync',
    options: {},
    perSend: 1,
    topic: 'BenchmarkDelayed',
    more: { delayLevel: LONG_LEVEL },
    chains: (inFlight) => inFlight,
    send: (producer, message) => producer.sendAsync(message),
  },
  timed: {
    what: 'messages with a time of their own (in 2 h), sendAsync',
    options: {},
    perSend: 1,
    topic: 'BenchmarkTimed',
    more: { delayMs: LONG_MS },
    chains: (inFlight) => inFlight,
    send: (producer, message) => producer.sendAsync(message),
  },
}

const COMMIT = {
  executeLocalTransaction: () => 'commit',
  checkLocalTransaction: () => 'commit',
}

export async function run(flags) {
  const { values } = parseArgs({
    args: flags,
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
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
        rounds: Number(values.rounds),
        inFlight: Number(values['in-flight']),
        body: Buffer.alloc(Number(values.body), 120),
      })
    }
  } finally {
    await cluster.stop()
  }
}

async function measure(cluster, way, { seconds, rounds, inFlight, body }) {
  const makeProducer = way.producer ?? ((options) => new DefaultProducer(options))
  const producer = makeProducer({
    group: 'bench',
    namesrvAddr: cluster.namesrvAddr,
    maxInFlight: inFlight,
    // On a machine that is busy with other things a send must not fail for its time.
    sendTimeoutMs: 60_000,
    ...way.options,
  })
  await producer.start()
  const { topic = TOPIC } = way
  const message = { topic, body, tag: 'A', ...way.more }
  await producer.send({ topic, body, tag: 'A' })
  const watch = way.seen ? await watchEnd(cluster, topic) : undefined
  await sendFor(producer, way, message, inFlight, 0.5, watch)
  const results = []
  for (let round = 0; round < rounds; round++) {
    results.push(await measureRound(cluster, producer, way, message, inFlight, seconds, watch))
  }
  await producer.close()
  await watch?.close()
  tell(way, body, results)
}

async function measureRound(cluster, producer, way, message, inFlight, seconds, watch) {
  const cpuBefore = cluster.brokerCpuMicros()
  const ownBefore = process.cpuUsage()
  const { count, tookMs, latencies } = await sendFor(
    ...[producer, way, message, inFlight, seconds, watch],
  )
  const own = process.cpuUsage(ownBefore)
  const sorted = Float64Array.from(latencies).sort()
  const at = (share) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
  return {
    rate: (count / tookMs) * 1_000,
    p50: at(0.5),
    p99: at(0.99),
    brokerMicros: (cluster.brokerCpuMicros() - cpuBefore) / count,
    ownMicros: (own.user + own.system) / count,
  }
}

/** The median of each figure by itself; of the rate the least and the greatest as well. */
function tell(way, body, results) {
  const sorted = (name) => results.map((result) => result[name]).sort((a, b) => a - b)
  const median = (name) => sorted(name)[Math.floor(results.length / 2)] ?? Number.NaN
  const rounded = (rate) => Math.round(rate).toLocaleString('en')
  const rates = sorted('rate')
  const range = `${rounded(rates[0])} … ${rounded(rates.at(-1))} in ${results.length} rounds`
  process.stdout.write(
    `${way.what}, ${body.length} B: ${rounded(median('rate'))} msg/s (${range}), ` +
      `p50 ${median('p50').toFixed(2)} ms, p99 ${median('p99').toFixed(2)} ms, ` +
      `broker ${median('brokerMicros').toFixed(2)} µs CPU each, ` +
      `producer ${median('ownMicros').toFixed(2)} µs CPU each\n`,
  )
}

/** Where the queues of a topic end, as consumers see them. */
async function watchEnd({ namesrvAddr }, topic) {
  const reader = new PullConsumer({ group: 'bench-watch', namesrvAddr })
  await reader.start()
  const queues = await reader.fetchMessageQueues(topic)
  return {
    async messages() {
      const ends = await Promise.all(queues.map((queue) => reader.maxOffset(queue)))
      return ends.reduce((sum, end) => sum + end, 0)
    },
    close: () => reader.close(),
  }
}

/** Chains of sends for some time, each starting the next when its answer is there. */
async function sendFor(producer, way, message, inFlight, seconds, watch) {
  const latencies = []
  const before = (await watch?.messages()) ?? 0
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
  const count = latencies.length * way.perSend
  // Nobody is told when a transaction has ended: the end of the queues says so.
  while (watch !== undefined && (await watch.messages()) < before + count) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
  return { count, tookMs: performance.now() - startMs, latencies }
}
