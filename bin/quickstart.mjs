/**
 * The quickstart: starts a name server and a broker as processes in a folder of their own, sends
 * messages, consumes them in another process, and checks that each came once, unchanged and in the
 * order of its queue. Children and folder are gone when it ends, however it ends.
 */
import { built } from './built.mjs'
import { messageOf } from './quickstart-ledger.mjs'
import { Progress } from './quickstart-progress.mjs'
import { Stage } from './quickstart-stage.mjs'

const TOPIC = 'Quickstart'
const QUEUES = 8
/** The question is whether messages arrive, not how soon: a busy machine may take its time. */
const SEND_TIMEOUT_MS = 30_000
/** How long nothing may arrive, after all was sent, until the rest counts as lost. */
const PATIENCE_MS = 15_000

/**
 * Resolves to the exit code.
 * @param {number} count
 */
export async function runQuickstart(count) {
  const stage = new Stage()
  try {
    const found = await play(stage, count)
    await stage.clear()
    return report(count, found)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.stderr.write(`The logs of the servers are in ${stage.keepLogs()}.\n`)
    await stage.clear()
    return 1
  }
}

/**
 * @typedef {import('./quickstart-ledger.mjs').Verdict} Verdict
 * @param {Stage} stage
 * @param {number} count
 */
async function play(stage, count) {
  const nameServer = await stage.startNameServer()
  const broker = await stage.startBroker(nameServer)
  say(`A name server runs at ${nameServer}, a broker at ${broker}.`)
  await makeTopic(nameServer, broker)
  const consumer = await stage.startConsumer([nameServer, TOPIC, String(count)])
  const progress = new Progress(count)
  consumer.onProgress((received) => progress.received(received))
  const { sent, seconds } = await send(nameServer, count, progress)
  const outcome = await consumer.outcome(PATIENCE_MS)
  progress.end()
  say(`sent     ${rate(sent, seconds)}`)
  say(`received ${rate(outcome.verdict.received, outcome.seconds)}`)
  return { sent, verdict: outcome.verdict }
}

/**
 * @param {string} nameServer
 * @param {string} broker
 */
async function makeTopic(nameServer, broker) {
  const [{ nodeHost }, { AdminClient, updateTopic }] = [await built('host'), await built('admin')]
  const client = new AdminClient(nodeHost(), { nameServers: [nameServer] })
  try {
    await updateTopic(
      client,
      { brokerAddr: broker },
      {
        ...{ topicName: TOPIC, readQueueNums: QUEUES, writeQueueNums: QUEUES, perm: 6 },
        ...{ topicFilterType: 'SINGLE_TAG', topicSysFlag: 0, order: false },
      },
    )
  } finally {
    client.close()
  }
}

/**
 * Sends as fast as the producer takes messages. Rejects with the reason of the first that failed.
 * @param {string} namesrvAddr
 * @param {number} count
 * @param {Progress} progress
 */
async function send(namesrvAddr, count, progress) {
  const { DefaultProducer } = await built('client')
  const producer = new DefaultProducer({
    ...{ group: 'quickstart-producer', namesrvAddr },
    sendTimeoutMs: SEND_TIMEOUT_MS,
  })
  await producer.start()
  const startMs = performance.now()
  let sent = 0
  /** @type {unknown} */
  let failure
  const stored = () => progress.sent(++sent)
  const failed = (/** @type {unknown} */ error) => {
    failure ??= error
  }
  for (let number = 0; number < count && failure === undefined; number++) {
    await producer.room()
    producer.sendAsync(messageOf(TOPIC, number)).then(stored, failed)
  }
  await producer.close()
  if (failure !== undefined) throw failure
  return { sent, seconds: (performance.now() - startMs) / 1000 }
}

/**
 * @param {number} count
 * @param {number} seconds
 */
function rate(count, seconds) {
  const perSecond = Math.round(count / Math.max(seconds, 0.001))
  return `${count} messages in ${seconds.toFixed(2)} s: ${perSecond.toLocaleString('en')} per second`
}

/**
 * The line that everything was for; resolves to the exit code.
 * @param {number} count
 * @param {{ sent: number, verdict: Verdict }} found
 */
function report(count, { sent, verdict }) {
  const { received, lost, duplicated, outOfOrder, changed } = verdict
  if (changed > 0) say(`${changed} messages came changed`)
  say(
    `quickstart: ${sent} sent, ${received} received, ${lost} lost, ${duplicated} duplicated, ` +
      `${outOfOrder} out of order`,
  )
  const wrong = lost + duplicated + outOfOrder + changed
  return sent === count && received === count && wrong === 0 ? 0 : 1
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`)
}
