/**
 * A process with some consumers, which join and leave as its input says, one JSON text per line:
 * `{"join":"member-3/1","group":"readers","orderly":true}`, `{"leave":"member-3/1"}`, `{"owns":true}`.
 * Says on its output, a JSON text per line, what its handlers got and when they were done. Lines are
 * written before the handler goes on: a process that is killed has said all that it did. Ends when
 * its input ends.
 */
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClientError, PushConsumer } from '@rockhopper/client'

const SLOW_SHARE = 0.3
const SLOW_MS = 50
const SLUGGISH_SHARE = 0.005
const SLUGGISH_MS = 1_500
const START_AGAIN_MS = 500

/** @type {Map<string, PushConsumer>} */
const consumers = new Map()

for await (const line of createInterface({ input: process.stdin })) {
  const { group, join, leave, orderly, owns } = JSON.parse(line)
  if (join !== undefined) void begin(join, group, orderly)
  if (leave !== undefined) void end(leave)
  if (owns === true) {
    for (const [name, consumer] of consumers) {
      say({ owns: consumer.queues.map(nameOf), by: name })
    }
    say({ owns: [], by: '' })
  }
}
process.exit(0)

/**
 * @param {string} name
 * @param {string} group
 * @param {boolean} orderly
 */
async function begin(name, group, orderly) {
  const namesrvAddr = process.env['NAMESRV_ADDR'] ?? ''
  const consumer = new PushConsumer({ consumeFromWhere: 'first', group, namesrvAddr, orderly })
  consumers.set(name, consumer)
  consumer.subscribe('storm', '*', async (message) => {
    const place = { by: name, offset: message.queueOffset, queue: nameOf(message.queue) }
    say({ got: message.body.toString(), ...place })
    const chance = Math.random()
    if (chance < SLUGGISH_SHARE) await sleep(SLUGGISH_MS)
    else if (chance < SLOW_SHARE) await sleep(Math.random() * SLOW_MS)
    say({ done: message.body.toString(), ...place })
  })
  while (consumers.get(name) === consumer) {
    try {
      await consumer.start()
      say({ joined: name })
      return
    } catch (error) {
      // It may have been told to leave meanwhile; or the machine is too busy for an answer.
      if (consumers.get(name) !== consumer) return
      if (!(error instanceof ClientError && error.retryable)) throw error
      await sleep(START_AGAIN_MS)
    }
  }
}

/** @param {string} name */
async function end(name) {
  const consumer = consumers.get(name)
  consumers.delete(name)
  await consumer?.close()
  say({ left: name })
}

/** @param {import('@rockhopper/protocol').MessageQueue} queue */
function nameOf({ brokerName, queueId, topic }) {
  return `${topic} ${brokerName} ${queueId}`
}

/** @param {object} fact */
function say(fact) {
  // Monotonic, and the same for all processes of a machine.
  const atMs = Number(process.hrtime.bigint()) / 1e6
  process.stdout.write(`${JSON.stringify({ atMs, ...fact })}\n`)
}
