/** The store alone: append, write, and become visible, in batches as a loop turn makes them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { nodeHost } from '@rockhopper/host'
import { hostAddress } from '@rockhopper/protocol'
import { openStore } from '@rockhopper/store'
import { machineLine } from './machine.mjs'

const MIB = 2 ** 20
const host = { born: hostAddress('127.0.0.1', 4_000), store: hostAddress('127.0.0.1', 10_911) }

export async function run(flags) {
  const { values } = parseArgs({
    args: flags,
    options: {
      messages: { type: 'string', default: '1000000' },
      batch: { type: 'string', default: '128' },
      flush: { type: 'string', default: 'async' },
    },
  })
  process.stdout.write(`${machineLine()}\n`)
  for (const bodyBytes of [128, 1024]) await measure(bodyBytes, values)
}

async function measure(bodyBytes, { messages, batch, flush }) {
  const folder = mkdtempSync(join(tmpdir(), 'rockhopper-bench-'))
  const store = await openStore(nodeHost(), {
    rootDirectory: folder,
    commitLogSegmentBytes: 1024 * MIB,
    consumeQueueSegmentBytes: 6_000_000,
    flushDisk: flush,
    flushIntervalMs: 500,
    syncFlushTimeoutMs: 5_000,
    maxMessageBytes: 4 * MIB,
    tailMemoryBytes: 32 * MIB,
  })
  try {
    const count = Number(messages)
    const started = process.hrtime.bigint()
    const cpu = process.cpuUsage()
    await fill(store, count, Number(batch), bodyBytes)
    const seconds = Number(process.hrtime.bigint() - started) / 1e9
    const { user, system } = process.cpuUsage(cpu)
    const rate = Math.round(count / seconds).toLocaleString('en')
    const micros = ((user + system) / count).toFixed(2)
    process.stdout.write(
      `append ${flush} ${bodyBytes} B, ${batch} a turn: ${rate} msg/s, ${micros} µs CPU each\n`,
    )
  } finally {
    await store.close()
    rmSync(folder, { recursive: true })
  }
}

async function fill(store, count, batch, bodyBytes) {
  const body = Buffer.alloc(bodyBytes, 120)
  const properties = [Buffer.from('UNIQ_KEY\x01C0A8010A1F9018B4AAC2118D2F3C0000\x02TAGS\x01A\x02')]
  const common = {
    topic: 'BenchmarkTopic',
    flag: 0,
    sysFlag: 0,
    bornTimestamp: Date.now(),
    bornHost: host.born,
    storeHost: host.store,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    body,
    properties,
    tagsCode: 65,
  }
  for (let sent = 0; sent < count; ) {
    let end = 0
    for (let i = 0; i < batch && sent < count; i++, sent++) {
      const outcome = store.append({ ...common, queueId: sent & 3 })
      if (outcome.kind !== 'appended') throw new Error(outcome.reason)
      end = outcome.endOffset
    }
    const settled = await store.settled(end, { waitForFlush: true })
    if (settled !== 'ok') throw new Error(`the store answered ${settled}`)
  }
}
