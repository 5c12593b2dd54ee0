/** Files of metadata survive whatever happens while they are replaced. */
import { createWorld, type SimHost } from '@rockhopper/sim'
import { readJsonFile, writeJsonFile } from '@rockhopper/store'
import { beforeEach, describe, expect, it } from 'vitest'

const PATH = '/store/config/topics.json'

describe('a file of metadata', () => {
  let world = createWorld(1)
  let host: SimHost = world.host('broker')

  beforeEach(() => {
    world = createWorld(1)
    host = world.host('broker')
  })

  const save = (value: unknown): Promise<void> =>
    world.clock.settle(writeJsonFile(host.doors.disk, PATH, value))
  const load = (): unknown => readJsonFile(host.doors.disk, PATH)

  function put(path: string, text: string): void {
    host.disk.makeDirectory('/store/config')
    const file = host.disk.open(path, 'create')
    file.setLength(0)
    if (text !== '') file.writeSync([Buffer.from(text)], 0)
    file.close()
  }

  it('gives back what was saved', async () => {
    expect(load()).toBeUndefined()
    await save({ a: 1 })
    await save({ a: 2 })
    expect(load()).toEqual({ a: 2 })
  })

  it('survives a power cut right after it was saved, its new folder as well', async () => {
    await save({ a: 1 })
    host.crash({ bytes: 'lost', names: 'lost' })
    host.restart()
    expect(load()).toEqual({ a: 1 })
  })

  it('holds the old or the new value when the power fails at any call of the save', async () => {
    for (let dieAt = 1; ; dieAt++) {
      world = createWorld(dieAt)
      host = world.host('broker')
      await save({ a: 1 })
      await save({ a: 2 })
      let calls = 0
      let died = false
      host.disk.watch(() => {
        calls += 1
        if (calls !== dieAt) return
        died = true
        host.crash({ bytes: 'random', names: 'random' })
      })
      writeJsonFile(host.doors.disk, PATH, { a: 3 }).catch(() => undefined)
      await world.clock.advance(100)
      host.disk.clearFaults()
      if (!died) {
        expect(load()).toEqual({ a: 3 })
        expect(dieAt).toBeGreaterThan(5)
        return
      }
      host.restart()
      expect([{ a: 2 }, { a: 3 }]).toContainEqual(load())
      await save({ a: 4 })
      expect(load()).toEqual({ a: 4 })
    }
  })

  it('keeps its former value when the disk is full', async () => {
    await save({ a: 1 })
    host.disk.fail({ operation: 'write', code: 'ENOSPC' })
    await expect(save({ a: 2 })).rejects.toThrow('ENOSPC')
    expect(load()).toEqual({ a: 1 })
  })

  it('is read from its backup when it is missing, empty or broken', async () => {
    for (const text of [undefined, '', '  \n', '{"a":']) {
      host.disk.remove(PATH)
      put(`${PATH}.bak`, '{"a":7}')
      if (text !== undefined) put(PATH, text)
      expect(load()).toEqual({ a: 7 })
    }
  })

  it('does not let a broken copy take the place of the backup', async () => {
    put(`${PATH}.bak`, '{"a":7}')
    put(PATH, '{"a":')
    expect(load()).toEqual({ a: 7 })
    await save({ a: 8 })
    put(PATH, '{"a":')
    expect(() => load()).not.toThrow()
  })

  it('stops the start when neither copy can be read, and says what to do', () => {
    put(PATH, '{"a":')
    expect(() => load()).toThrow('repair it by hand, or remove it')
    put(`${PATH}.bak`, '[')
    expect(() => load()).toThrow('topics.json.bak" is not JSON')
  })

  it('is read in the dialect of fastjson', () => {
    put(PATH, '{"offsetTable":{"T@G":{0:250,1:250}}}')
    expect(load()).toEqual({ offsetTable: { 'T@G': { 0: 250, 1: 250 } } })
  })
})
