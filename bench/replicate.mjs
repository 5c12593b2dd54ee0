/**
 * A master and its slave: what waiting for the slave costs, how far the slave is behind under a steady
 * load, and how fast one that begins with nothing catches up. All are processes of this machine.
 *
 *   npm run bench -- replicate [--seconds N] [--in-flight N] [--send-rate N] [--mebibytes N] [--only roles,lag,catch-up]
 */
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { nodeHost, silentLogger } from '@rockhopper/host'
import { GET_BROKER_RUNTIME_INFO, GET_MAX_OFFSET } from '@rockhopper/protocol'
import { RemotingClient } from '@rockhopper/remoting'
import { startCluster } from './cluster.mjs'
import { loadLine, machineLine } from './machine.mjs'
import { Stage } from './store-stage.mjs'

const senders = new URL('./consume-parts.mjs', import.meta.url).href
const waves = new URL('./replicate-parts.mjs', import.meta.url).href

const TARGETS = { ratio: 0.6, lagP99Ms: 5, catchUpMibPerSecond: 200 / 1.048_576 }
const TOPIC = 'BenchmarkTopic'
const ROUNDS = 3
const PROBE_PAUSE_MS = 10
const FILL_BODY_BYTES = 4_096
const MIB = 2 ** 20

export async function run(flags) {
  const { values } = parseArgs({
    args: flags,
    options: {
      seconds: { type: 'string', default: '3' },
      'in-flight': { type: 'string', default: '512' },
      'body-bytes': { type: 'string', default: '128' },
      'send-rate': { type: 'string', default: '50000' },
      mebibytes: { type: 'string', default: '1024' },
      only: { type: 'string', default: 'roles,lag,catch-up' },
      folder: { type: 'string', default: tmpdir() },
    },
  })
  const { folder } = values
  say(`${machineLine()}\n${loadLine()}`)
  const stage = new Stage({ folder }, () => {})
  const host = nodeHost({ logger: silentLogger })
  const client = new RemotingClient(host)
  try {
    const only = new Set(values.only.split(','))
    if (only.has('roles')) await compareRoles(stage, values)
    if (only.has('lag')) await measureLag(stage, client, values)
    if (only.has('catch-up')) await measureCatchUp(stage, client, values)
  } finally {
    client.close()
  }
  say(loadLine())
}

/** Both masters run all the time, and are sent to in turn. */
async function compareRoles(stage, { folder, ...values }) {
  const roles = ['ASYNC_MASTER', 'SYNC_MASTER']
  const clusters = []
  try {
    for (const brokerRole of roles) {
      const cluster = await startCluster({ parent: folder, settings: { brokerRole } })
      clusters.push(cluster)
      await cluster.startSlave()
      const { namesrvAddr } = cluster
      cluster.sender = await stage.start(waves, 'sender', { namesrvAddr })
      await cluster.sender.call('ready')
    }
    const best = [0, 0]
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [i, { sender }] of clusters.entries()) {
        const figures = await sender.call(
          'send',
          Number(values.seconds) * (round === 0 ? 0.5 : 1),
          Number(values['in-flight']),
          Number(values['body-bytes']),
        )
        if (round === 0) continue
        best[i] = Math.max(best[i], figures.perSecond)
        say(
          `${roles[i].padEnd(12)} ${number(figures.perSecond)} msg/s, ` +
            `p50 ${figures.p50Ms.toFixed(2)} ms, p99 ${figures.p99Ms.toFixed(2)} ms`,
        )
      }
    }
    const ratio = best[1] / best[0]
    say(`SYNC_MASTER has ${ratio.toFixed(2)} of the rate of ASYNC_MASTER`)
    sayTarget(`${TARGETS.ratio} or more`, ratio >= TARGETS.ratio)
    for (const { sender } of clusters) await sender.close()
  } finally {
    for (const cluster of clusters) await cluster.stop()
  }
}

/**
 * From when the master has a message until the slave has it, as somebody sees who asks both for the end
 * of a queue. The sender batches, as who sends so many does: the load is not what is measured.
 */
async function measureLag(stage, client, { folder, seconds, ...values }) {
  const cluster = await startCluster({ parent: folder })
  try {
    const slave = await cluster.startSlave()
    const { namesrvAddr } = cluster
    const sender = await stage.start(senders, 'sender', { namesrvAddr, autoBatch: true })
    await sender.call('begin', Number(values['send-rate']), Number(values['body-bytes']))
    const lags = []
    const endMs = performance.now() + (Number(seconds) + 1) * 1_000
    const beginMs = performance.now() + 1_000
    while (performance.now() < endMs) {
      const end = await queueEnd(client, cluster.brokerAddress)
      const seenMs = performance.now()
      while ((await queueEnd(client, slave.address)) < end);
      if (seenMs > beginMs) lags.push(performance.now() - seenMs)
      await delay(PROBE_PAUSE_MS)
    }
    const { perSecond } = await sender.call('end', 0)
    await sender.close()
    const sorted = Float64Array.from(lags).sort()
    const at = (share) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
    say(
      `lag of the slave at ${number(perSecond)} msg/s, a request to it included: ` +
        `p50 ${at(0.5).toFixed(2)} ms, p99 ${at(0.99).toFixed(2)} ms`,
    )
    sayTarget(`p99 < ${TARGETS.lagP99Ms} ms`, at(0.99) < TARGETS.lagP99Ms)
  } finally {
    await cluster.stop()
  }
}

/**
 * From when the slave is up until it has everything; and the same bytes through a socket into a file.
 * A virtual machine gets its memory from its host at first use, which takes longer than all the rest:
 * files of the size were there before.
 */
async function measureCatchUp(stage, client, { folder, mebibytes: wanted }) {
  const cluster = await startCluster({ parent: folder })
  try {
    const { brokerAddress, namesrvAddr } = cluster
    const sender = await stage.start(senders, 'sender', { namesrvAddr })
    await sender.call('fill', Math.ceil((Number(wanted) * MIB) / FILL_BODY_BYTES), FILL_BODY_BYTES)
    await sender.close()
    const end = await logEnd(client, brokerAddress)
    const limit = await rawCatchUp(stage, folder, Math.ceil(end / MIB))
    const slave = await cluster.startSlave()
    const now = () => {
      const [masterMicros, slaveMicros] = [cluster.brokerCpuMicros(), slave.cpuMicros()]
      return { atMs: performance.now(), masterMicros, slaveMicros }
    }
    let begun = now()
    for (let offset = 0; offset < end; ) {
      await delay(PROBE_PAUSE_MS)
      offset = await logEnd(client, slave.address)
      if (offset === 0) begun = now()
    }
    const done = now()
    const mebibytes = end / MIB
    const perSecond = mebibytes / ((done.atMs - begun.atMs) / 1_000)
    const cost = (name) => ((done[name] - begun[name]) / 1_000 / mebibytes).toFixed(2)
    say(
      `catching up with ${number(mebibytes)} MiB: ${number(perSecond)} MiB/s, CPU of each MiB ` +
        `${cost('masterMicros')} ms at the master and ${cost('slaveMicros')} ms at the slave; ` +
        `${(perSecond / limit.perSecond).toFixed(2)} of ${number(limit.perSecond)} MiB/s from a socket ` +
        `to a file, ${(limit.cpuMicros / 1_000).toFixed(2)} ms`,
    )
    sayTarget(`200 MB/s or more`, perSecond >= TARGETS.catchUpMibPerSecond)
  } finally {
    await cluster.stop()
  }
}

/** The second time counts. */
async function rawCatchUp(stage, folder, mebibytes) {
  const source = await stage.start(waves, 'rawSource', { mebibytes })
  const copy = await stage.start(waves, 'rawCopy', { folder })
  const port = await source.call('listen')
  await copy.call('copy', port)
  const figures = await copy.call('copy', port)
  await copy.close()
  await source.close()
  return figures
}

async function queueEnd(client, address) {
  const queue = { topic: TOPIC, queueId: 0 }
  const answer = await client.call(address, GET_MAX_OFFSET, queue, { timeoutMs: 30_000 })
  return answer.header.offset
}

async function logEnd(client, address) {
  const answer = await client.call(address, GET_BROKER_RUNTIME_INFO, {}, { timeoutMs: 30_000 })
  return Number(JSON.parse(answer.body.toString()).table.commitLogMaxOffset)
}

function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function number(value) {
  return Math.round(value).toLocaleString('en')
}

function say(line) {
  process.stdout.write(`${line}\n`)
}

function sayTarget(what, isMet) {
  say(`  target ${what}: ${isMet ? 'met' : 'not met'}`)
}
