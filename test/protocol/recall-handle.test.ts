/** A recall handle is what Apache's clients and brokers make and take. */
import { decodeRecallHandle, encodeRecallHandle } from '@rockhopper/protocol'
import { expect, test } from 'vitest'

const handle = {
  topic: 'orders',
  brokerName: 'broker-a',
  timestampMs: 1_700_000_010_001,
  uniqueKey: 'ID?>',
}
/** What Java's Base64.getUrlEncoder makes of `v1 orders broker-a 1700000010001 ID?>`. */
const text = 'djEgb3JkZXJzIGJyb2tlci1hIDE3MDAwMDAwMTAwMDEgSUQ_Pg=='

test('a handle is the text that Java makes of it, and is read again', () => {
  expect(encodeRecallHandle(handle)).toBe(text)
  expect(decodeRecallHandle(text)).toEqual(handle)
})

test('a handle without the signs at its end is read, too', () => {
  expect(decodeRecallHandle(text.replace(/=+$/, ''))).toEqual(handle)
})

test.each([
  ['nothing', ''],
  ['the alphabet of other texts', text.replace('_', '/')],
  ['another version', Buffer.from('v2 a b 1 c').toString('base64url')],
  ['too few words', Buffer.from('v1 a b 1').toString('base64url')],
])('%s is no handle', (_, wrong) => {
  expect(decodeRecallHandle(wrong)).toBeUndefined()
})

test('a handle with no time is one of the past', () => {
  const odd = Buffer.from('v1 a b soon c').toString('base64url')
  expect(decodeRecallHandle(odd)?.timestampMs).toBe(-1)
})
