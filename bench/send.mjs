/**
 * Messages through a broker process: rate, latency and the processor time of the broker, for 128-byte
 * and 1-KiB bodies at 512 in flight. Producer and broker share this machine.
 */
import { parseArgs } from 'node:util'
import { DefaultProducer } from '@rockhopper/client'
import { startCluster } from './cluster.mjs'
import { machineLine } from './machine.mjs'

export async function run(flags) {
  const { values } = parseArgs({
    args: flags,
    options: {
      messages: { type: 'string', default: '500000' },
      'in-flight': { type: 'string', default: '512' },
      rounds: { type: 'string', default: '3' },
      flush: { type: 'string', default: 'ASYNC_FLUSH' },
    },
  })
  process.stdout.write(`${machineLine()}\n`)
  const cluster = await startCluster({ settings: { flushDiskType: values.flush } })
  try {
    for (const bodyBytes of [128, 1024]) {
      for (let round = 0; round < Number(values.rounds); round++) {
        await measure(cluster, bodyBytes, Number(values.messages), Number(values['in-flight']))
      }
    }
  } finally {
    await cluster.stop()
  }
}

async function measure(cluster, bodyBytes, count, inFlight) {
  const producer = new DefaultProducer({ group: 'bench', namesrvAddr: cluster.namesrvAddr })
  await producer.start()
  const topic = 'BenchmarkTopic'
  const body = Buffer.alloc(bodyBytes, 120)
  await warmUp(producer, topic, body, inFlight)
  const latencies = new Float64Array(count)
  const cpuBefore = cluster.brokerCpuMicros()
  const ownBefore = process.cpuUsage()
  const startMs = performance.now()
  await sendAll(producer, topic, body, count, inFlight, latencies)
  const seconds = (performance.now() - startMs) / 1_000
  const cpuMicros = (cluster.brokerCpuMicros() - cpuBefore) / count
  const own = process.cpuUsage(ownBefore)
  await producer.close()
  latencies.sort()
  const at = (share) => latencies[Math.floor((count - 1) * share)].toFixed(2)
  process.stdout.write(
    `send ${bodyBytes} B, ${inFlight} in flight: ` +
      `${Math.round(count / seconds).toLocaleString('en')} msg/s, ` +
      `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ` +
      `broker ${cpuMicros.toFixed(2)} µs CPU each, ` +
      `producer ${((own.user + own.system) / count).toFixed(2)} µs CPU each\n`,
  )
}

async function warmUp(producer, topic, body, inFlight) {
  await producer.send({ topic, body })
  const count = 50_000
  await sendAll(producer, topic, body, count, inFlight, new Float64Array(count))
}

/** `inFlight` chains of sends, each starting the next when its answer is there. */
async function sendAll(producer, topic, body, count, inFlight, latencies) {
  let next = 0
  const chain = async () => {
    for (let i = next++; i < count; i = next++) {
      const startMs = performance.now()
      const { status } = await producer.sendAsync({ topic, body, tag: 'A' })
      latencies[i] = performance.now() - startMs
      if (status !== 'SEND_OK') throw new Error(`a send ended with ${status}`)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, chain))
}
