/** Settings kept by a name server: through power cuts, full disks and damaged files. */
import {
  DELETE_KV_CONFIG,
  decodeKvTable,
  GET_KV_CONFIG,
  GET_KVLIST_BY_NAMESPACE,
  PUT_KV_CONFIG,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { DurableFiles } from '../../packages/namesrv/src/durable-files.ts'
import { Cluster } from './cluster.ts'
import { OK, outcome, type Peer } from './peer.ts'

const FILE = '/home/rockhopper/namesrv/kvConfig.json'

function put(cluster: Cluster, peer: Peer, key: string, value: string) {
  return cluster.ask(peer, PUT_KV_CONFIG, { fields: { namespace: 'ns', key, value } })
}

async function list(cluster: Cluster): Promise<Record<string, string>> {
  const fields = { namespace: 'ns' }
  const answer = await cluster.ask(await cluster.peer(), GET_KVLIST_BY_NAMESPACE, { fields })
  return answer.code === 22 ? {} : Object.fromEntries(decodeKvTable(Buffer.from(answer.text)))
}

function writeFile(cluster: Cluster, content: string): void {
  const { disk } = cluster.server
  disk.makeDirectory('/home/rockhopper/namesrv')
  const file = disk.open(FILE, 'create')
  file.writeSync([Buffer.from(content)], 0)
  file.close()
}

describe('a setting', () => {
  it('is put, read, listed and deleted', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    const fields = { namespace: 'ns', key: 'k' }
    expect(outcome(await put(cluster, peer, 'k', 'v'))).toEqual(OK)
    expect((await cluster.ask(peer, GET_KV_CONFIG, { fields })).fields).toEqual({ value: 'v' })
    expect(await list(cluster)).toEqual({ k: 'v' })
    expect(outcome(await cluster.ask(peer, DELETE_KV_CONFIG, { fields }))).toEqual(OK)
    expect(outcome(await cluster.ask(peer, GET_KV_CONFIG, { fields }))).toEqual([
      22,
      'No config item, Namespace: ns Key: k',
    ])
  })

  it('that never was is not found, and deleting it is no error', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    const fields = { namespace: 'ns', key: 'k' }
    expect(outcome(await cluster.ask(peer, GET_KVLIST_BY_NAMESPACE, { fields }))).toEqual([
      22,
      'No config item, Namespace: ns',
    ])
    expect(outcome(await cluster.ask(peer, DELETE_KV_CONFIG, { fields }))).toEqual(OK)
  })

  it('lies in the file as Apache writes it', async () => {
    const cluster = await Cluster.start()
    await put(cluster, await cluster.peer(), 'k', 'v')
    const content = new DurableFiles(cluster.server.disk).read(FILE)?.toString()
    expect(content).toBe('{"configTable":{"ns":{"k":"v"}}}')
  })

  it('that Apache has written is found', async () => {
    const cluster = await Cluster.start()
    cluster.server.kill()
    writeFile(cluster, '{\n\t"configTable":{"ns":{"k":"v",\'l\':7}}\n}')
    await cluster.restart()
    expect(await list(cluster)).toEqual({ k: 'v', l: '7' })
  })
})

describe('settings', () => {
  it('that were answered survive a loss of power at any moment, and none is half there', async () => {
    let crashes = 0
    for (let seed = 1; seed <= 60; seed++) {
      const cluster = await Cluster.start({}, seed)
      const peer = await cluster.peer()
      await put(cluster, peer, 'first', 'x'.repeat(5_000))
      let operationsLeft = seed % 20
      cluster.server.disk.watch(() => {
        if (operationsLeft-- > 0 || !cluster.server.running) return
        crashes++
        cluster.server.crash()
        throw new Error('the machine is off')
      })
      const answered = new Set<string>()
      for (const key of ['a', 'b', 'c']) {
        const fields = { namespace: 'ns', key, value: 'y'.repeat(5_000) }
        peer.ask(PUT_KV_CONFIG, { fields }).then(({ code }) => code === 0 && answered.add(key))
        await cluster.world.clock.advance(1)
      }
      await cluster.world.clock.advance(100)
      cluster.server.disk.clearFaults()
      if (cluster.server.running) cluster.server.crash()
      await cluster.restart()
      const found = await list(cluster)
      expect(Object.keys(found)).toEqual(expect.arrayContaining(['first', ...answered]))
      expect(Object.values(found).every((value) => value.length === 5_000)).toBe(true)
    }
    expect(crashes).toBeGreaterThan(20)
  })

  it('that come together are written together', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    let renames = 0
    cluster.server.disk.watch((operation) => {
      if (operation === 'rename') renames++
    })
    const keys = Array.from({ length: 50 }, (_, at) => `k${at}`)
    const answers = keys.map((key) => {
      const fields = { namespace: 'ns', key, value: key }
      return peer.ask(PUT_KV_CONFIG, { fields })
    })
    for (const answer of answers) expect(outcome(await cluster.settle(answer))).toEqual(OK)
    expect(Object.keys(await list(cluster))).toHaveLength(50)
    expect(renames).toBeLessThan(10)
  })

  it.each(['write', 'sync', 'rename', 'syncDirectory'] as const)(
    'that fail at %s are refused, do not show, and can be put again',
    async (operation) => {
      const cluster = await Cluster.start()
      const peer = await cluster.peer()
      await put(cluster, peer, 'first', '1')
      cluster.server.disk.fail({ operation, code: 'ENOSPC' })
      const answer = await put(cluster, peer, 'second', '2')
      expect(answer.code).toBe(1)
      expect(answer.remark).toMatch(/^the setting could not be saved: .*ENOSPC/)
      expect(await list(cluster)).toEqual({ first: '1' })
      expect(outcome(await put(cluster, peer, 'third', '3'))).toEqual(OK)
      cluster.server.crash()
      await cluster.restart()
      expect(await list(cluster)).toEqual({ first: '1', third: '3' })
    },
  )

  it('survive a loss of power in a folder whose own making had failed at first', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    cluster.server.disk.fail({ operation: 'syncDirectory', code: 'EIO' })
    expect((await put(cluster, peer, 'a', '1')).code).toBe(1)
    expect((await put(cluster, peer, 'b', '2')).code).toBe(0)
    cluster.server.crash({ bytes: 'lost', names: 'lost' })
    await cluster.restart()
    expect(await list(cluster)).toEqual({ b: '2' })
  })

  it('that would fill the memory are refused', async () => {
    const cluster = await Cluster.start()
    const peer = await cluster.peer()
    const value = 'x'.repeat(900_000)
    const keys = Array.from({ length: 6 }, (_, at) => `k${at}`)
    const answers = await cluster.settle(
      Promise.all(
        keys.map((key) => peer.ask(PUT_KV_CONFIG, { fields: { namespace: 'ns', key, value } })),
      ),
    )
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0, 1, 1])
    expect(answers.at(-1)?.remark).toMatch(/4194304 bytes: delete some first/)
    const fields = { namespace: 'ns', key: 'k0' }
    expect(outcome(await cluster.ask(peer, DELETE_KV_CONFIG, { fields }))).toEqual(OK)
    expect(outcome(await put(cluster, peer, 'k5', value))).toEqual(OK)
  })

  it.each(['', '{"configTable":{"ns":', '[]', '{}'])(
    'in a file damaged to %j keep the name server from starting over without them',
    async (content) => {
      const cluster = await Cluster.start()
      cluster.server.kill()
      writeFile(cluster, content)
      await expect(cluster.restart()).rejects.toThrow(
        /kvConfig\.json is damaged .*: repair it, or move it away to start without settings/,
      )
      expect(new DurableFiles(cluster.server.disk).read(FILE)?.toString()).toBe(content)
    },
  )
})
