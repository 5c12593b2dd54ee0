/** Single messages of a store that is not open: found by offset, place and key, and taken apart. */
import { deflateSync } from 'node:zlib'
import { compressedFlags, propertyPair } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { messageJson, messageLines } from '../../packages/store/src/inspect/message-text.ts'
import {
  type DumpedMessage,
  findMessages,
  type Wanted,
} from '../../packages/store/src/inspect/messages.ts'
import { InspectScene, keyed } from './inspect-scene.ts'
import { ROOT } from './scene.ts'

const TOPIC = 'TopicTest'

function find(inspected: InspectScene, wanted: Wanted, limit = 1): Promise<DumpedMessage[]> {
  const { folder, host, scene } = inspected
  return scene.settle(findMessages(host, folder, wanted, limit))
}

function withKey(key: string, unique = false): Wanted {
  return { kind: 'key', topic: TOPIC, key, unique }
}

function bodies(messages: readonly DumpedMessage[]): string[] {
  return messages.map(({ body }) => body.toString())
}

describe('a message of a store that is not open', () => {
  it('has all its fields and properties', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(3)
    await inspected.scene.close()
    const [message] = await find(inspected, {
      kind: 'queue',
      topic: TOPIC,
      queueId: 0,
      queueOffset: 1,
    })
    expect(message).toMatchObject({
      topic: TOPIC,
      queueId: 0,
      queueOffset: 1,
      bornHost: '192.168.1.10:54321',
      storeHost: '192.168.1.1:10911',
      properties: { UNIQ_KEY: 'U-k2', KEYS: 'k2' },
      bodyNotes: [],
    })
    expect(message?.body.toString()).toBe('body of k2')
    const lines = message === undefined ? [] : messageLines(message, String)
    expect(lines).toContain('  KEYS      k2')
    expect(lines.at(-1)).toBe('  body of k2')
  })

  it('is found by its offset in the log, and nothing else is taken for one', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(3)
    await inspected.scene.close()
    const [second] = await find(inspected, withKey('k1'))
    const logOffset = second?.logOffset ?? 0
    expect(bodies(await find(inspected, { kind: 'offset', logOffset }))).toEqual(['body of k1'])
    await expect(find(inspected, { kind: 'offset', logOffset: logOffset + 1 })).rejects.toThrow(
      `No record begins at offset ${logOffset + 1}`,
    )
    await expect(find(inspected, { kind: 'offset', logOffset: 1e9 })).rejects.toThrow(
      'that is outside of it',
    )
  })

  it('is found by its keys, also behind what the index knows after a kill', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(40)
    await inspected.scene.reopen()
    await inspected.scene.put(keyed('k7', { body: Buffer.from('again') }))
    inspected.scene.host.kill()
    inspected.scene.host.restart()
    expect(bodies(await find(inspected, withKey('k7'), 9))).toEqual(['body of k7', 'again'])
    expect(bodies(await find(inspected, withKey('k7'), 1))).toEqual(['again'])
    expect(await find(inspected, withKey('U-k7', true), 9)).toHaveLength(2)
    await expect(find(inspected, withKey('k7', true))).rejects.toThrow('has the unique key "k7"')
  })

  it('is found by its key without an index, and with a damaged one', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(40)
    await inspected.scene.close()
    const { disk } = inspected.scene.host
    const [name = ''] = disk.list(`${ROOT}/index`)
    inspected.scene.putBytes(`${ROOT}/index/${name}`, Buffer.alloc(16 * 4, 0x7f), 40)
    expect(bodies(await find(inspected, withKey('k3')))).toEqual(['body of k3'])
    disk.remove(`${ROOT}/index`)
    expect(bodies(await find(inspected, withKey('k3')))).toEqual(['body of k3'])
  })

  it('is shown with a word when its body is damaged', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(1)
    await inspected.scene.close()
    inspected.flip(`${ROOT}/commitlog/00000000000000000000`, 90)
    const [message] = await find(inspected, { kind: 'offset', logOffset: 0 })
    expect(message?.bodyNotes).toEqual(['its checksum is wrong: it is damaged'])
  })

  it('has its body decompressed from zlib, and is left as it is when that fails', async () => {
    const inspected = await InspectScene.opened()
    const body = Buffer.from('a'.repeat(500))
    await inspected.scene.put({ body: deflateSync(body), sysFlag: compressedFlags.zlib })
    await inspected.scene.put({ body: Buffer.from('no zlib'), sysFlag: compressedFlags.zlib })
    await inspected.scene.put({ body: Buffer.from('no lz4'), sysFlag: 1 | (1 << 8) })
    await inspected.scene.close()
    const place = { kind: 'queue', topic: TOPIC, queueId: 0, queueOffset: 0 } as const
    const messages = await find(inspected, place, 3)
    expect(messages.map((message) => message.body.length)).toEqual([500, 7, 6])
    expect(messages.map(({ bodyNotes }) => bodyNotes[0])).toEqual([
      expect.stringContaining('bytes of zlib in the log'),
      'it is said to be zlib, but cannot be decompressed',
      'it is compressed with lz4, and shown as it is stored',
    ])
  })

  it('does nothing to the terminal that shows it', async () => {
    const inspected = await InspectScene.opened()
    const properties = [propertyPair('a', 'bell\u0007 and\nline')]
    await inspected.scene.put({ body: Buffer.from([0, 27, 65]), properties })
    await inspected.scene.close()
    const [message] = await find(inspected, { kind: 'offset', logOffset: 0 })
    const lines = message === undefined ? [] : messageLines(message, String)
    expect(lines.join('')).not.toMatch(/\p{Cc}/u)
    expect(lines).toContain('  a  bell\\u0007 and\\nline')
    expect(lines.at(-1)).toMatch(/^ {2}000000 {2}00 1b 41 +\.\.A$/)
    expect(message && messageJson(message)).toMatchObject({ bodyBase64: 'ABtB' })
  })

  it('says where the files of a queue begin when they have nothing there', async () => {
    const inspected = await InspectScene.opened()
    await inspected.fill(2)
    await inspected.scene.close()
    const at = (queueId: number, queueOffset: number) =>
      find(inspected, { kind: 'queue', topic: TOPIC, queueId, queueOffset })
    await expect(at(0, 7)).rejects.toThrow('has nothing at 7 in its files: its files begin at 0')
    await expect(at(9, 0)).rejects.toThrow('it has no files at all')
  })
})
