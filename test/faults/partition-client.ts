/**
 * A process with a producer or a consumer, on a machine of its own: the third word of its command line
 * says which. Says on its output, a JSON text per line, what was acknowledged or delivered, and takes
 * from its input what is wanted of it. Ends when its input ends.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { DefaultProducer, PushConsumer } from '@rockhopper/client'
import { every, nodeHost } from '@rockhopper/host'
import { nowMs } from './consumer-process.ts'
import { PacedLoad } from './paced-load.ts'
import type { Acknowledged, ClientFacts, ClientOrder, Delivered } from './partition-facts.ts'

const SAY_MS = 20

const { NAMESRV_ADDR: namesrvAddr = '', STORM_RATE = '', STORM_TOPIC: topic = '' } = process.env
const host = nodeHost()

if (process.argv[2] === 'producer') await produce()
else await consume()
process.exit(0)

async function produce(): Promise<void> {
  const producer = new DefaultProducer({ group: 'senders', host, namesrvAddr })
  await producer.start()
  let acknowledged: Acknowledged[] = []
  const load = new PacedLoad({
    books: {
      noteAcknowledged: (number, { queue, queueOffset, status }) => {
        const { brokerName, queueId } = queue
        acknowledged.push([number, brokerName, queueId, queueOffset, status])
      },
    },
    ...{ clock: host.clock, perSecond: Number(STORM_RATE), producer, topic },
  })
  tellEvery(() => {
    const facts = acknowledged.length === 0 ? undefined : { acknowledged }
    acknowledged = []
    return facts
  })
  say({ started: true })
  for await (const order of orders()) {
    if (order === 'mark') say({ next: load.next })
    if (order !== 'stop') continue
    await load.stop()
    const { failures, lastError, longestGapMs } = load
    say({ acknowledged })
    acknowledged = []
    say({ stopped: { failures, longestGapMs, lastFailure: lastError?.message } })
  }
}

async function consume(): Promise<void> {
  const options = { group: 'readers', host, namesrvAddr, consumeFromWhere: 'first' } as const
  let delivered: Delivered[] = []
  const consumer = new PushConsumer(options).subscribe(topic, '*', ({ body, queue }) => {
    const number = Buffer.from(body.buffer, body.byteOffset, body.byteLength).readUInt32BE(0)
    delivered.push([number, queue.brokerName, queue.queueId])
  })
  await consumer.start()
  tellEvery(() => {
    const facts = delivered.length === 0 ? undefined : { delivered }
    delivered = []
    return facts
  })
  say({ started: true })
  for await (const _ of orders());
}

async function* orders(): AsyncGenerator<ClientOrder> {
  for await (const line of createInterface({ input: process.stdin })) yield JSON.parse(line)
}

function tellEvery(facts: () => ClientFacts | undefined): void {
  const tell = (): void => {
    const news = facts()
    if (news !== undefined) say(news)
  }
  every(host.clock, SAY_MS, tell, (error) => process.stderr.write(`${String(error)}\n`))
}

function say(facts: ClientFacts): void {
  process.stdout.write(`${JSON.stringify({ ...facts, atMs: nowMs() })}\n`)
}
