/**
 * A process with a producer that runs transactions and answers for those of its group, as often as it
 * is asked: `transaction-sender.mjs FIRST STRIDE` runs those numbered FIRST, FIRST + STRIDE … Says on
 * its output, a JSON text per line, what it has begun, what the broker has stored, and what it was
 * asked about; each line is written before anything comes of it. At the line `stop` it begins no more,
 * says when it is done with what it has begun, and goes on to answer until its input ends.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClientError, TransactionProducer } from '@rockhopper/client'
import { answerTo, bodyOf, fateOf, numberOf } from './transaction-fates.mjs'

const LANES = 16
const TRY_AGAIN_MS = 50

const [first = 0, stride = 1] = process.argv.slice(2).map(Number)
const topic = process.env['STORM_TOPIC'] ?? ''
const stopping = new AbortController()

const producer = new TransactionProducer({
  group: 'storm-transactions',
  namesrvAddr: process.env['NAMESRV_ADDR'] ?? '',
  // Each number is sent once: what is not acknowledged may be there or not.
  ...{ retries: 0, sendTimeoutMs: 10_000 },
  listener: {
    async executeLocalTransaction(_message, /** @type {number} */ number) {
      say({ stored: number })
      const { end, localMs, manner } = fateOf(number)
      await sleep(localMs)
      return manner === 'when asked' ? 'unknown' : end
    },
    checkLocalTransaction({ body, properties }) {
      const number = numberOf(body.toString())
      const check = Number(properties['TRANSACTION_CHECK_TIMES'])
      say({ asked: number, check })
      return number === undefined ? 'unknown' : answerTo(number, check)
    },
  },
})

let next = first
const running = run()
for await (const line of createInterface({ input: process.stdin })) {
  if (line !== 'stop') continue
  stopping.abort()
  void running.then(() => say({ quiet: true }))
}
process.exit(0)

async function run() {
  while (!(await isDone(producer.start()))) await sleep(TRY_AGAIN_MS)
  await Promise.all(Array.from({ length: LANES }, runLane))
}

async function runLane() {
  while (!stopping.signal.aborted) {
    const number = next
    next += stride
    say({ begun: number })
    const message = { topic, body: bodyOf(number), keys: String(number) }
    if (!(await isDone(producer.sendInTransaction(message, number)))) await sleep(TRY_AGAIN_MS)
  }
}

/**
 * Whether it was successful; what the broker's death breaks off is no surprise.
 * @param {Promise<unknown>} work
 */
async function isDone(work) {
  try {
    await work
    return true
  } catch (error) {
    if (error instanceof ClientError && error.retryable) return false
    throw error
  }
}

/** @param {object} fact */
function say(fact) {
  process.stdout.write(`${JSON.stringify(fact)}\n`)
}
