/**
 * The process of the quickstart that consumes: `quickstart-consumer.mjs NAME_SERVER TOPIC COUNT`. It
 * tells its parent when it is ready, how far it is, and in the end what it found.
 */
import { built } from './built.mjs'
import { Ledger } from './quickstart-ledger.mjs'

const [namesrvAddr = '', topic = '', count = '0'] = process.argv.slice(2)
const wanted = Number(count)
const PROGRESS_MS = 100
/** How long a message that comes twice is waited for when all have come. */
const AFTERMATH_MS = 300

const ledger = new Ledger(wanted)
let firstMs = 0
let lastMs = 0

const { PushConsumer } = await built('client')
const consumer = new PushConsumer({
  group: 'quickstart-consumer',
  namesrvAddr,
  consumeFromWhere: 'first',
})
consumer.subscribe(topic, '*')
consumer.onMessages((/** @type {any} */ messages) => {
  for (const message of messages) ledger.enter(message)
  lastMs = performance.now()
  firstMs ||= lastMs
  if (ledger.received === wanted) setTimeout(finish, AFTERMATH_MS)
})

const ticker = setInterval(() => tell({ kind: 'progress', received: ledger.received }), PROGRESS_MS)
process.on('message', (message) => {
  if (message === 'finish') finish()
})
// Whoever started it is gone: nobody wants the result.
process.on('disconnect', () => process.exit(1))

await consumer.start()
tell({ kind: 'ready' })

let finished = false
async function finish() {
  if (finished) return
  finished = true
  clearInterval(ticker)
  await consumer.close()
  const seconds = (lastMs - firstMs) / 1000
  process.send?.({ kind: 'done', verdict: ledger.verdict(), seconds }, () => process.exit(0))
}

/** @param {object} message */
function tell(message) {
  process.send?.(message)
}
