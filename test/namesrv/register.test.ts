/** Brokers come, stay and go: over connections that break, through silence, in every version. */
import {
  BROKER_HEARTBEAT,
  encodeDataVersion,
  GET_ROUTEINFO_BY_TOPIC,
  PUT_KV_CONFIG,
  QUERY_DATA_VERSION,
  registrationCrc32,
  UNREGISTER_BROKER,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { brokerFields, Cluster, dataVersion, registration } from './cluster.ts'
import { OK, outcome, type Peer, V3_0_10, V4_9_3, V5_3_3 } from './peer.ts'

async function routeCode(cluster: Cluster, topic = 'TopicA'): Promise<number> {
  const client = await cluster.peer()
  const { code } = await cluster.ask(client, GET_ROUTEINFO_BY_TOPIC, { fields: { topic } })
  client.close()
  return code
}

describe('a broker', () => {
  it.each([
    ['3.0', V3_0_10, JSON.stringify(JSON.parse(registration()).topicConfigSerializeWrapper)],
    ['4.9', V4_9_3, registration()],
    ['5.3', V5_3_3, registration()],
  ])('of %s registers and its topics have a route', async (_name, version, body) => {
    const cluster = await Cluster.start()
    const answer = await cluster.register(await cluster.peer(), { version, body })
    expect(answer).toMatchObject({ code: 0, text: '' })
    expect(await routeCode(cluster)).toBe(0)
  })

  it('whose checksum is right registers, and is refused when it is not', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    const bodyCrc32 = registrationCrc32(Buffer.from(registration()))
    const wrong = await cluster.register(peer, { fields: { bodyCrc32: String(bodyCrc32 + 1) } })
    expect(outcome(wrong)).toEqual([1, 'crc32 not match'])
    const right = await cluster.register(peer, { fields: { bodyCrc32: String(bodyCrc32) } })
    expect(outcome(right)).toEqual(OK)
  })

  it('whose body cannot be read is told so, and nobody is alarmed', async () => {
    const cluster = await Cluster.start()
    const answer = await cluster.register(await cluster.peer(), { body: '{"filterServerList":' })
    expect(answer.code).toBe(1)
    expect(answer.remark).toMatch(/the body of REGISTER_BROKER cannot be read/)
    expect(cluster.world.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('that is unknown and tells one topic is told to begin with all', async () => {
    const cluster = await Cluster.start()
    const answer = await cluster.register(await cluster.peer(), { body: registration(['T']) })
    expect(answer.code).toBe(1)
    expect(answer.remark).toMatch(/^register broker failed: "broker-a" is unknown/)
  })

  it('is told which topics are ordered, unless that is switched off', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    const fields = { namespace: 'ORDER_TOPIC_CONFIG', key: 'T', value: 'broker-a:4' }
    await cluster.ask(peer, PUT_KV_CONFIG, { fields })
    expect((await cluster.register(peer)).text).toBe('{"table":{"T":"broker-a:4"}}')
    const silent = await Cluster.start({ returnOrderTopicConfigToBroker: false })
    const other = await silent.peer()
    await silent.ask(other, PUT_KV_CONFIG, { fields })
    expect((await silent.register(other)).text).toBe('')
  })

  it('that is a slave is told its master, which is told nothing', async () => {
    const cluster = await Cluster.start()
    const master = await cluster.register(await cluster.peer())
    expect(master.fields).toEqual({})
    const fields = { brokerId: '1', brokerAddr: '10.9.0.2:10911', haServerAddr: '10.9.0.2:10912' }
    const slave = await cluster.register(await cluster.peer(), { fields })
    expect(slave.fields).toEqual({
      masterAddr: brokerFields.brokerAddr,
      haServerAddr: brokerFields.haServerAddr,
    })
  })

  it('that holds an old epoch gets a success that tells it nothing', async () => {
    const cluster = await Cluster.start()
    const newer = registration().replace('"counter"', '"stateVersion":2,"counter"')
    await cluster.broker({ body: newer })
    const fields = { brokerAddr: '10.9.0.7:10911' }
    const answer = await cluster.register(await cluster.peer(), { fields })
    expect(answer).toMatchObject({ code: 0, fields: {} })
  })

  it('that says it leaves is gone at once', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker()
    expect(outcome(await cluster.ask(peer, UNREGISTER_BROKER, { fields: brokerFields }))).toEqual(
      OK,
    )
    expect(await routeCode(cluster)).toBe(17)
  })

  it('whose connection closes is gone at once', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker()
    peer.close()
    await cluster.world.clock.advance(10)
    expect(await routeCode(cluster)).toBe(17)
    expect(cluster.world.lines.at(-1)).toMatchObject({
      level: 'warn',
      sentence: 'A broker is gone.',
      fields: { reason: 'its connection closed' },
    })
  })

  it('that has come back on a new connection is not harmed when the old one closes', async () => {
    const cluster = await Cluster.start()
    const old = await cluster.broker()
    await cluster.broker()
    old.close()
    await cluster.world.clock.advance(10)
    expect(await routeCode(cluster)).toBe(0)
  })

  it('that loses its machine is dropped after 120 s of silence', async () => {
    const cluster = await Cluster.start()
    await cluster.broker()
    cluster.world.host('peer').crash()
    await cluster.world.clock.advance(119_000)
    cluster.world.host('peer').restart()
    expect(await routeCode(cluster)).toBe(0)
    await cluster.world.clock.advance(7_000)
    expect(await routeCode(cluster)).toBe(17)
  })

  it('that named a shorter time is dropped after it, and its connection is closed', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker({ fields: { heartbeatTimeoutMillis: '10000' } })
    await cluster.world.clock.advance(10_000)
    expect(await routeCode(cluster)).toBe(0)
    await cluster.world.clock.advance(5_100)
    expect(await routeCode(cluster)).toBe(17)
    expect(peer.closed).toBe(true)
  })

  const signs: [string, (peer: Peer) => void][] = [
    ['heartbeats', (peer) => peer.tell(BROKER_HEARTBEAT, { fields: brokerFields })],
    [
      'asking for its version',
      (peer) => {
        const body = encodeDataVersion(dataVersion)
        peer.tell(QUERY_DATA_VERSION, { fields: brokerFields, body })
      },
    ],
  ]
  it.each(signs)('lives on by %s', async (_name, giveSign) => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker({ fields: { heartbeatTimeoutMillis: '10000' } })
    for (let second = 0; second < 60; second += 5) {
      giveSign(peer)
      await cluster.world.clock.advance(5_000)
    }
    expect(await routeCode(cluster)).toBe(0)
  })

  it('that asks whether its topics changed is told, with the version that is known', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    const ask = (counter: number) => {
      const body = encodeDataVersion({ ...dataVersion, counter })
      return cluster.ask(peer, QUERY_DATA_VERSION, { fields: brokerFields, body })
    }
    expect(await ask(3)).toMatchObject({ code: 0, fields: { changed: 'true' }, text: '' })
    await cluster.register(peer)
    const known = encodeDataVersion(dataVersion).toString()
    expect(await ask(3)).toMatchObject({ fields: { changed: 'false' }, text: known })
    expect(await ask(4)).toMatchObject({ fields: { changed: 'true' }, text: known })
  })
})

describe('a name server that closes', () => {
  it('closes its connections and can be started on the same address', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.broker()
    await cluster.settle(cluster.namesrv.close())
    await cluster.world.clock.advance(10)
    expect(peer.closed).toBe(true)
    cluster.server.kill()
    await cluster.restart()
    expect(await routeCode(cluster)).toBe(17)
  })

  it('is told from one whose port is taken', async () => {
    const cluster = await Cluster.start()
    const { startNamesrv } = await import('@rockhopper/namesrv')
    const second = startNamesrv(cluster.server.doors, cluster.config)
    await expect(cluster.settle(second)).rejects.toThrow(/9876/)
  })
})
