/** The table of consumer offsets, and the file it is kept in. */

import { parseFastjson } from '@rockhopper/protocol'
import { SimClock } from '@rockhopper/sim'
import { expect, test } from 'vitest'
import { OffsetTable } from '../../packages/broker/src/tables/offsets.ts'

function table(): OffsetTable {
  return new OffsetTable(new SimClock())
}

test('an offset that was never committed is unknown, not 0', () => {
  const offsets = table()
  offsets.commit('g', 'T', 0, 5)
  expect(offsets.get('g', 'T', 0)).toBe(5)
  expect(offsets.get('g', 'T', 1)).toBeUndefined()
  expect(offsets.get('h', 'T', 0)).toBeUndefined()
})

test('what is saved is what is loaded', () => {
  const offsets = table()
  offsets.commit('g', 'T', 0, 5)
  offsets.commit('g', 'T', 3, 7)
  offsets.commit('g', '%RETRY%g', 0, 1)
  const loaded = table()
  loaded.load(JSON.parse(JSON.stringify(offsets.toJson())))
  expect(loaded.toJson()).toEqual(offsets.toJson())
  expect(loaded.get('g', 'T', 3)).toBe(7)
})

test("Apache's file, with its unquoted numbers as keys, is read", () => {
  const offsets = table()
  offsets.load(
    parseFastjson(
      '{\n\t"dataVersion":{"counter":2,"stateVersion":0,"timestamp":1},\n' +
        '\t"groupTopicMap":{"g":["T"]},\n\t"offsetTable":{"T@g":{0:250,1:248\n\t\t}\n\t}\n}',
    ),
  )
  expect(offsets.get('g', 'T', 1)).toBe(248)
})

test('topics of a group and groups of a topic are told apart by the whole name', () => {
  const offsets = table()
  offsets.commit('g', 'T', 0, 1)
  offsets.commit('gg', 'T', 0, 1)
  offsets.commit('g', 'TT', 0, 1)
  expect(offsets.topicsOf('g')).toEqual(['T', 'TT'])
  expect(offsets.groupsOf('T')).toEqual(['g', 'gg'])
  offsets.deleteGroup('g')
  expect(offsets.groupsOf('T')).toEqual(['gg'])
  offsets.deleteTopic('T')
  expect(offsets.groupsOf('T')).toEqual([])
})

test('offsets of queues that begin anew are forgotten, and only those', () => {
  const offsets = table()
  for (const topic of ['T', 'TT']) {
    for (const queueId of [1, 11]) offsets.commit('g', topic, queueId, 7)
    offsets.notePull('g', topic, 1, 8)
  }
  const { commits } = offsets
  offsets.deleteQueues([{ topic: 'T', queueId: 1 }])
  expect(offsets.get('g', 'T', 1)).toBeUndefined()
  expect(offsets.pulled('g', 'T', 1)).toBeUndefined()
  expect([
    offsets.get('g', 'T', 11),
    offsets.get('g', 'TT', 1),
    offsets.pulled('g', 'TT', 1),
  ]).toEqual([7, 7, 8])
  expect(offsets.commits).toBeGreaterThan(commits)
})
