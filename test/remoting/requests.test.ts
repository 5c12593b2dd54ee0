/** Requests and answers between a client and a server of ours. */
import {
  ACCEPT_SERIALIZATION,
  decodeHeartbeat,
  flag,
  GET_MAX_OFFSET,
  HEART_BEAT,
  isResponse,
  responseCode,
  serialization,
  UPDATE_CONSUMER_OFFSET,
} from '@rockhopper/protocol'
import { ConnectionError, Refusal, RemoteError, TimeoutError } from '@rockhopper/remoting'
import { expect, test } from 'vitest'
import { rawPeer, request, scene } from './scene.ts'

const queue = { topic: 'T', queueId: 3 }
const timeoutMs = 1_000

test('an answer reaches the call it belongs to, however late and in whatever order', async () => {
  const { address, client, router, world } = await scene()
  const waiting = new Map<number, (offset: number) => void>()
  router.on(GET_MAX_OFFSET, async ({ queueId }) => {
    const offset = await new Promise<number>((resolve) => waiting.set(queueId, resolve))
    return { header: { offset } }
  })
  const calls = [1, 2, 3].map((queueId) =>
    client.request(address, GET_MAX_OFFSET, { topic: 'T', queueId }, { timeoutMs }),
  )
  await world.clock.run(() => waiting.size === 3)
  for (const queueId of [2, 3, 1]) waiting.get(queueId)?.(queueId * 100)
  const answers = await world.clock.settle(Promise.all(calls))
  expect(answers.map((answer) => answer.header().offset)).toEqual([100, 200, 300])
})

test('a call without an answer ends at its own deadline, and a late answer is no harm', async () => {
  const { address, client, router, world } = await scene()
  let finish: (() => void) | undefined
  router.on(
    GET_MAX_OFFSET,
    () =>
      new Promise((resolve) => {
        finish = () => resolve({ header: { offset: 1 } })
      }),
  )
  router.on(HEART_BEAT, () => ({}))
  const started = world.clock.monotonicMs()
  const call = client.request(address, GET_MAX_OFFSET, queue, { timeoutMs: 300 })
  await expect(world.clock.settle(call)).rejects.toThrow(TimeoutError)
  await expect(call).rejects.toThrow(/did not answer GET_MAX_OFFSET within/)
  expect(world.clock.monotonicMs() - started).toBeLessThan(310)
  finish?.()
  await world.clock.settle(client.request(address, HEART_BEAT, {}, { timeoutMs }))
})

test('hundreds may wait for the end of one connection, and Node does not warn of a leak', async () => {
  const { address, client, router, world } = await scene()
  const warnings: string[] = []
  const hear = (warning: Error): number => warnings.push(warning.name)
  process.on('warning', hear)
  let woken = 0
  router.on(GET_MAX_OFFSET, (_header, { connection }) => {
    for (let i = 0; i < 300; i++) connection.closed.addEventListener('abort', () => woken++)
    return { header: { offset: 1 } }
  })
  await world.clock.settle(client.request(address, GET_MAX_OFFSET, queue, { timeoutMs }))
  client.close()
  await world.clock.run(() => woken === 300)
  process.off('warning', hear)
  expect(warnings).toEqual([])
})

test('all calls of a connection that breaks are rejected at once', async () => {
  const { address, client, router, world } = await scene()
  router.on(GET_MAX_OFFSET, () => new Promise(() => {}))
  const calls = [1, 2].map(() => client.request(address, GET_MAX_OFFSET, queue, { timeoutMs }))
  await world.clock.run(() => router.inFlight === 2)
  world.host('server').kill()
  const results = await world.clock.settle(Promise.allSettled(calls))
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(calls[0]).rejects.toThrow(ConnectionError)
})

test('an address without a server is refused with a sentence that names it', async () => {
  const { client, world } = await scene()
  const call = client.request('10.9.9.9:1', HEART_BEAT, {}, { timeoutMs })
  await expect(world.clock.settle(call)).rejects.toThrow(/10\.9\.9\.9:1 cannot be reached/)
  const malformed = client.request('nowhere', HEART_BEAT, {}, { timeoutMs })
  await expect(world.clock.settle(malformed)).rejects.toThrow(/write it as host:port/)
})

test('a refusal arrives as its code and sentence, a bug as SYSTEM_ERROR and in the log', async () => {
  const { address, client, router, world } = await scene()
  router.on(GET_MAX_OFFSET, () => {
    throw new Refusal(responseCode.TOPIC_NOT_EXIST, 'topic "T" does not exist: create it')
  })
  router.on(HEART_BEAT, async () => {
    throw new Error('nobody thought of this')
  })
  const refused = client.request(address, GET_MAX_OFFSET, queue, { timeoutMs })
  const error = await world.clock.settle(refused.catch((reason: unknown) => reason))
  expect(error).toBeInstanceOf(RemoteError)
  expect(error).toMatchObject({ code: 17, remark: 'topic "T" does not exist: create it' })
  expect(world.lines).toEqual([])
  const answer = await world.clock.settle(client.call(address, HEART_BEAT, {}, { timeoutMs }))
  expect(answer).toMatchObject({ code: 1, remark: 'HEART_BEAT failed: nobody thought of this' })
  expect(world.lines).toMatchObject([{ level: 'error', fields: { command: 'HEART_BEAT' } }])
})

test('an unknown code is answered as not supported, and a missing field by its name', async () => {
  const scenery = await scene()
  scenery.router.on(GET_MAX_OFFSET, () => ({ header: { offset: 1 } }))
  const peer = await rawPeer(scenery)
  peer.send(request(serialization.json, 7_777, 1))
  peer.send(request(serialization.json, GET_MAX_OFFSET.code, 2))
  await scenery.world.clock.run(() => peer.frames.length === 2)
  expect(peer.frames.map(({ head }) => head)).toMatchObject([
    { code: 3, opaque: 1, remark: ' request type 7777 not supported' },
    { code: 1, opaque: 2, remark: expect.stringMatching(/lacks the field "topic"/) },
  ])
})

test('a body that cannot be read is the fault of who sent it: a sentence, and nothing in the log', async () => {
  const { address, client, router, world } = await scene()
  router.on(HEART_BEAT, (_header, { body }) => {
    decodeHeartbeat(body)
    return {}
  })
  const options = { timeoutMs, body: [Buffer.from('{"clientID":')] }
  const answer = await world.clock.settle(client.call(address, HEART_BEAT, {}, options))
  expect(answer.code).toBe(responseCode.SYSTEM_ERROR)
  expect(answer.remark).toMatch(/^the body of HEART_BEAT cannot be read: .*position 12/)
  expect(world.lines).toEqual([])
})

test('a one-way request is handled and never answered, not even when it is wrong', async () => {
  const scenery = await scene()
  let handled = 0
  scenery.router.on(UPDATE_CONSUMER_OFFSET, () => {
    handled++
    throw new Refusal(responseCode.SYSTEM_ERROR, 'no')
  })
  scenery.router.on(HEART_BEAT, () => ({}))
  const peer = await rawPeer(scenery)
  const fields = { consumerGroup: 'g', topic: 't', queueId: '0', commitOffset: '1' }
  peer.send(request(serialization.binary, 15, 1, fields, flag.oneway))
  peer.send(request(serialization.binary, 15, 2, {}, flag.oneway))
  peer.send(request(serialization.binary, 9_999, 3, {}, flag.oneway))
  peer.send(request(serialization.binary, HEART_BEAT.code, 4))
  await scenery.world.clock.run(() => peer.frames.length > 0)
  await scenery.world.clock.advance(1_000)
  expect(handled).toBe(1)
  expect(peer.frames.map(({ head }) => head.opaque)).toEqual([4])
})

test.each([serialization.json, serialization.binary])(
  'a request in serialization %i is answered in the same, without a word about ours',
  async (form) => {
    const scenery = await scene()
    scenery.router.on(GET_MAX_OFFSET, () => ({ header: { offset: 8 } }))
    const peer = await rawPeer(scenery)
    peer.send(request(form, GET_MAX_OFFSET.code, 5, { topic: 'T', queueId: '0' }))
    await scenery.world.clock.run(() => peer.frames.length === 1)
    const [frame] = peer.frames
    expect(frame?.head).toMatchObject({ serialization: form, opaque: 5, code: 0 })
    expect(frame && isResponse(frame.head)).toBe(true)
    expect(Buffer.concat(peer.chunks).includes(ACCEPT_SERIALIZATION)).toBe(false)
  },
)

test('our client changes to msgpack as soon as the server has shown that it is ours', async () => {
  const { address, client, router, world } = await scene()
  const seen: number[] = []
  router.on(GET_MAX_OFFSET, (_header, { head }) => {
    seen.push(head.serialization)
    return { header: { offset: 1 } }
  })
  for (let i = 0; i < 3; i++) {
    await world.clock.settle(client.request(address, GET_MAX_OFFSET, queue, { timeoutMs }))
  }
  expect(seen).toEqual([serialization.binary, serialization.msgpack, serialization.msgpack])
})

test('the answers of one turn leave in one write', async () => {
  let writes = 0
  const scenery = await scene({ onWrite: () => writes++ })
  scenery.router.on(HEART_BEAT, () => ({}))
  const connecting = scenery.client.connect(scenery.address)
  const connection = await scenery.world.clock.settle(connecting)
  const calls = Array.from({ length: 50 }, () => connection.call(HEART_BEAT, {}, { timeoutMs }))
  await scenery.world.clock.settle(Promise.all(calls))
  const arrivals = scenery.arrivals()
  expect(writes).toBe(arrivals)
  expect(arrivals).toBeLessThan(10)
})
