/** Peers that break the protocol, send nothing, or never read. */
import { GET_MAX_OFFSET, HEART_BEAT, serialization } from '@rockhopper/protocol'
import { expect, test } from 'vitest'
import { rawPeer, request, scene } from './scene.ts'

const timeoutMs = 1_000

const hostile: [string, string, RegExp][] = [
  ['a length over the limit', '7fffffff00000000', /announces 2147483647 bytes/],
  ['a negative length', 'ffffffff00000000', /announces -1 bytes/],
  ['a header longer than its frame', '0000000800ffffff0000', /leaves its frame/],
  ['a JSON header of 5 MiB', '0050000800500000', /limit of 1048576/],
  ['an unknown serialization', '000000080500000400000000', /serialization 5 is unknown/],
  ['text of another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n').toString('hex'), /announces/],
]

test.each(hostile)('%s closes that connection, with the reason in the log', async (...row) => {
  const [, bytes, reason] = row
  const scenery = await scene()
  scenery.router.on(HEART_BEAT, () => ({}))
  const { address, client, world } = scenery
  await world.clock.settle(client.request(address, HEART_BEAT, {}, { timeoutMs }))
  const peer = await rawPeer(scenery)
  peer.send(Buffer.from(bytes, 'hex'))
  await world.clock.run(() => peer.isClosed())
  expect(world.lines).toMatchObject([
    { level: 'warn', fields: { reason: expect.stringMatching(reason) } },
  ])
  await world.clock.settle(client.request(address, HEART_BEAT, {}, { timeoutMs }))
  expect(scenery.server.connections.size).toBe(1)
})

test('half a frame waits, costs nobody else anything, and is closed when it stays silent', async () => {
  const scenery = await scene({ idleMs: 60_000 })
  scenery.router.on(HEART_BEAT, () => ({}))
  const { address, client, world } = scenery
  const peer = await rawPeer(scenery)
  peer.send(request(serialization.binary, HEART_BEAT.code, 1).subarray(0, 11))
  await world.clock.settle(client.request(address, HEART_BEAT, {}, { timeoutMs }))
  expect(peer.isClosed()).toBe(false)
  await world.clock.advance(90_000)
  expect(peer.isClosed()).toBe(true)
})

test('a connection that exchanges bytes is not idle', async () => {
  const scenery = await scene({ idleMs: 60_000 })
  scenery.router.on(HEART_BEAT, () => ({}))
  const peer = await rawPeer(scenery)
  for (let i = 0; i < 5; i++) {
    peer.send(request(serialization.binary, HEART_BEAT.code, i + 1))
    await scenery.world.clock.advance(50_000)
  }
  expect(peer.isClosed()).toBe(false)
})

test('a closing server answers what is being worked on and lets go of what is held', async () => {
  const { address, client, router, server, world } = await scene()
  let finish: (() => void) | undefined
  router.on(
    GET_MAX_OFFSET,
    () =>
      new Promise((resolve) => {
        finish = () => resolve({ header: { offset: 4 } })
      }),
  )
  router.on(HEART_BEAT, async (_header, context) => {
    await context.hold(new Promise(() => {}))
    return {}
  })
  const working = client.request(address, GET_MAX_OFFSET, { topic: 'T', queueId: 0 }, { timeoutMs })
  const held = client.request(address, HEART_BEAT, {}, { timeoutMs })
  held.catch(() => {})
  await world.clock.run(() => router.inFlight === 2)
  const closing = server.close()
  finish?.()
  expect((await world.clock.settle(working)).header()).toEqual({ offset: 4 })
  await expect(world.clock.settle(held)).rejects.toThrow(/broke/)
  await world.clock.settle(closing)
  expect(server.connections.size).toBe(0)
})
