/**
 * A consumer far behind: how fast it catches up, what that costs, and whether senders notice; and
 * how soon a consumer that is not behind gets a message. Name server, broker, sender and consumer
 * are processes of this machine.
 *
 *   npm run bench -- consume [--messages N] [--send-rate N] [--rounds N] [--cold] [--profile]
 *
 * Each round is a new group that reads everything. Its sender sends at a steady rate, first alone
 * and then beside the consumer; the broker's time for sends alone is not counted as the consumer's.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startCluster } from './cluster.mjs'
import { loadLine, machineLine } from './machine.mjs'
import { profileTexts } from './store-profile.mjs'
import { median, Stage } from './store-stage.mjs'

const here = new URL('./consume-parts.mjs', import.meta.url).href

const SENDER_ALONE_MS = 3_000
const TARGETS = { perSecond: 150_000, slowedBy: 0.2, memoryMib: 250, p50Ms: 2, p99Ms: 10 }

export async function run(flags) {
  const { values } = parseArgs({
    args: flags,
    options: {
      messages: { type: 'string', default: '5000000' },
      'body-bytes': { type: 'string', default: '128' },
      'send-rate': { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '3' },
      cold: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      folder: { type: 'string', default: tmpdir() },
    },
  })
  const { folder, profile } = values
  const profiles = profile ? mkdtempSync(join(folder, 'rockhopper-profiles-')) : undefined
  say(`${machineLine()}\n${loadLine()}`)
  const execArgv = profile ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : []
  const cluster = await startCluster({ parent: folder, execArgv })
  try {
    await measure(cluster, new Stage({ folder, profiles }, () => {}), {
      cluster,
      count: Number(values.messages),
      bodyBytes: Number(values['body-bytes']),
      sendRate: Number(values['send-rate']),
      rounds: Number(values.rounds),
      isCold: values.cold,
    })
  } finally {
    await cluster.stop()
  }
  say(loadLine())
  if (profiles === undefined) return
  for (const text of profileTexts(profiles)) process.stderr.write(`\n${text}`)
  rmSync(profiles, { recursive: true })
}

async function measure(cluster, stage, options) {
  const { bodyBytes, count, rounds } = options
  const { namesrvAddr } = cluster
  const filler = await stage.start(here, 'sender', { namesrvAddr })
  const filled = await filler.call('fill', count, bodyBytes)
  await filler.close()
  say(`filled with ${number(count)} of ${bodyBytes} B: ${number(filled.perSecond)} msg/s`)
  const sender = await stage.start(here, 'sender', { namesrvAddr })
  const all = []
  for (let round = 1; round <= rounds; round++) {
    all.push(await catchUp(cluster, stage, sender, options))
    sayRound(`round ${round}`, all.at(-1))
  }
  const figures = Object.keys(all[0]).map((key) => [key, median(all.map((each) => each[key]))])
  sayResult(Object.fromEntries(figures), cluster.brokerMemoryPeakMib())
  await sender.close()
  await measureLatency(stage, namesrvAddr, bodyBytes)
}

async function catchUp(cluster, stage, sender, { bodyBytes, count, isCold, sendRate }) {
  const { namesrvAddr, storeFolder } = cluster
  const timeOfBroker = async (work) => {
    const before = cluster.brokerCpuMicros()
    const result = await work()
    return [result, cluster.brokerCpuMicros() - before]
  }
  await sender.call('begin', sendRate, bodyBytes)
  const [alone, aloneMicros] = await timeOfBroker(() => sender.call('end', SENDER_ALONE_MS))
  const consumer = await stage.start(here, 'consumer', { namesrvAddr, isCold, storeFolder })
  await sender.call('begin', sendRate, bodyBytes)
  const [caught, besideMicros] = await timeOfBroker(() => consumer.call('catchUp', count))
  const beside = await sender.call('end', 0)
  await consumer.close()
  const sendMicros = alone.count === 0 ? 0 : aloneMicros / alone.count
  return {
    perSecond: caught.perSecond,
    clientMicros: caught.cpuMicros,
    clientMib: consumer.memoryPeakMib,
    brokerMicros: (besideMicros - sendMicros * beside.count) / count,
    alone: alone.perSecond,
    beside: beside.perSecond,
    aloneP99Ms: alone.p99Ms,
    besideP99Ms: beside.p99Ms,
  }
}

async function measureLatency(stage, namesrvAddr, bodyBytes) {
  const pair = await stage.start(here, 'pair', { namesrvAddr })
  const { p50Ms, p99Ms, maxMs } = await pair.call('latency', bodyBytes)
  await pair.close()
  const figures = `p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, most ${maxMs.toFixed(2)} ms`
  say(`idle, from acknowledgement to listener: ${figures}`)
  sayTarget(`p50 < ${TARGETS.p50Ms} ms`, p50Ms < TARGETS.p50Ms)
  sayTarget(`p99 < ${TARGETS.p99Ms} ms`, p99Ms < TARGETS.p99Ms)
}

function sayRound(name, figures) {
  const { clientMib, perSecond, clientMicros, brokerMicros } = figures
  const { alone, beside, aloneP99Ms, besideP99Ms } = figures
  say(
    `${name}: ${number(perSecond)} msg/s | ` +
      `client ${clientMicros.toFixed(2)} µs CPU each, ${Math.round(clientMib)} MiB at most | ` +
      `broker ${brokerMicros.toFixed(2)} µs CPU each | ` +
      `sender ${number(alone)} msg/s alone (p99 ${aloneP99Ms.toFixed(1)} ms), ` +
      `${number(beside)} beside (p99 ${besideP99Ms.toFixed(1)} ms)`,
  )
}

function sayResult(medians, brokerMib) {
  sayRound('median', medians)
  const { alone, beside, clientMib, perSecond } = medians
  const slowedBy = alone === 0 ? 0 : 1 - beside / alone
  say(`broker ${Math.round(brokerMib)} MiB at most, filling included`)
  sayTarget(`≥ ${number(TARGETS.perSecond)} msg/s`, perSecond >= TARGETS.perSecond)
  sayTarget(`sender slowed by ≤ ${100 * TARGETS.slowedBy} %`, slowedBy <= TARGETS.slowedBy)
  sayTarget(`client < ${TARGETS.memoryMib} MiB`, clientMib < TARGETS.memoryMib)
}

function sayTarget(text, isMet) {
  say(`  ${isMet ? 'met' : 'MISSED'}: ${text}`)
}

function number(value) {
  return Math.round(value).toLocaleString('en')
}

function say(text) {
  process.stdout.write(`${text}\n`)
}
