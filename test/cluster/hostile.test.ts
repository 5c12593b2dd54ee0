/** Peers that break the protocol, on the ports of a name server and of a broker at work. */
import { connect, type Socket } from 'node:net'
import { HEART_BEAT } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import type { ServerProcess } from './server-process.ts'
import { createTopic, openStage } from './stage.ts'
import { flawless, Traffic } from './traffic.ts'

/** Far beyond what it takes, for machines that are busy with other things. */
const LOG_TIMEOUT_MS = 30_000
const LANES = 64
const MIB = 1024 * 1024

function frame(serialization: number, head: Buffer, headBytes = head.length): Buffer {
  const lengths = Buffer.alloc(8)
  lengths.writeInt32BE(4 + head.length, 0)
  lengths.writeInt32BE((serialization << 24) | headBytes, 4)
  return Buffer.concat([lengths, head])
}

const json = (text: string): Buffer => frame(0, Buffer.from(text))
const whole = json(`{"code":${HEART_BEAT.code},"opaque":1,"flag":2}`)

/** What is sent, and what the server's log says about it. */
const hostile: readonly (readonly [string, readonly Buffer[], RegExp])[] = [
  ['a length over the limit', [Buffer.from('7fffffff00000000', 'hex')], /announces 2147483647/],
  ['a negative length', [Buffer.from('fffffff000000000', 'hex')], /announces -16 bytes/],
  ['a length of nothing', [Buffer.from('0000000000000000', 'hex')], /announces 0 bytes/],
  ['a head longer than its frame', [frame(0, Buffer.alloc(8), 9_999)], /9999 bytes leaves/],
  ['an unknown serialization', [frame(9, Buffer.alloc(30))], /serialization 9 is unknown/],
  ['a head of 5 MiB of JSON', [json(`{"remark":"${'x'.repeat(5 * MIB)}"}`)], /limit of 1048576/],
  ['a megabyte of brackets', [json('['.repeat(MIB))], /nested deeper than 64 levels/],
  ['a number that is an object', [json('{"code":{"toString":1}}')], /number of the JSON head is {/],
  ['a binary head of nothing', [frame(1, Buffer.alloc(3))], /at least 21 bytes/],
  ['text of another protocol', [Buffer.from('GET / HTTP/1.1\r\n\r\n')], /announces 1195725856/],
  ['a half frame, then another', [whole.subarray(0, 20), whole], /JSON head is not JSON/],
]

test('hostile bytes close their own connection, with the reason in the log, and disturb nobody', {
  timeout: 120_000,
}, async (context) => {
  const stage = await openStage(context)
  const traffic = await Traffic.open(stage)
  const burst = traffic.send(LANES)
  await traffic.untilAcknowledged(LANES)
  for (const server of [stage.namesrv, stage.broker]) {
    const halves = openHalfFrame(server)
    for (const [what, chunks, reason] of hostile) {
      await isClosedBy(server, chunks)
      const says = (): string | undefined =>
        server.child.errorLines.find((line) => reason.test(line))
      expect(await server.child.waitFor(`reason for ${what}`, says, LOG_TIMEOUT_MS)).toContain(
        'A connection was closed because its peer broke the protocol.',
      )
      await traffic.untilAcknowledged(LANES)
    }
    await halves.end()
    expect(server.child.hasEnded).toBe(false)
  }
  expect(burst.failures.value).toBe(0)
  expect(await traffic.judge()).toMatchObject({ ...flawless, redelivered: 0 })
  await createTopic(stage, 'afterwards', 1)
})

/** Sends the chunks, one write each, and waits until the server has closed the connection. */
async function isClosedBy({ address }: ServerProcess, chunks: readonly Buffer[]): Promise<void> {
  const socket = connectTo(address)
  for (const chunk of chunks) socket.write(chunk)
  await closed(socket)
}

/** A peer that sends half a frame and falls silent until it hangs up. */
function openHalfFrame({ address }: ServerProcess): { end(): Promise<void> } {
  const socket = connectTo(address)
  socket.write(whole.subarray(0, 11))
  return {
    async end() {
      expect(socket.destroyed).toBe(false)
      socket.end()
      await closed(socket)
    },
  }
}

function connectTo(address: string): Socket {
  const socket = connect(Number(address.split(':')[1]), '127.0.0.1')
  // A server may close before it has read all: then the rest of a write fails.
  socket.on('error', () => {})
  return socket.resume()
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
  })
}
