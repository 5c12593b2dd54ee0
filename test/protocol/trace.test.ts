/** What clients write of their messages is what Apache's encoder writes, byte for byte. */
import { readFileSync } from 'node:fs'
import {
  decodeTraces,
  type EndTransactionTrace,
  encodeTrace,
  HANDLER_ENDS,
  type PubTrace,
  type SubAfterTrace,
  type SubBeforeTrace,
  type TraceRecord,
} from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'

interface Golden {
  readonly text: string
  readonly keys: readonly string[]
  readonly read: number
}

const golden: Readonly<Record<string, Golden>> = JSON.parse(
  readFileSync(new URL('trace-golden/traces.json', import.meta.url), 'utf8'),
)

const produced = {
  timestampMs: 1_700_000_000_123,
  regionId: 'DefaultRegion',
  group: 'billing',
  topic: 'orders',
  msgId: 'ID1',
}
const storeHost = '127.0.0.1:10911'
const pub: PubTrace = {
  ...produced,
  type: 'Pub',
  ...{ tags: 'red', keys: 'k1 k2', storeHost, bodyLength: 42, costMs: 7 },
  kind: 'normal',
  offsetMsgId: '7F00000100002A9F0000000000000400',
  isSuccess: true,
}
const before: SubBeforeTrace = {
  type: 'SubBefore',
  ...{ timestampMs: produced.timestampMs, regionId: 'DefaultRegion', group: 'billing' },
  ...{ requestId: 'REQ01', msgId: 'ID1', retryTimes: 2, keys: 'k1' },
}
const after: SubAfterTrace = {
  type: 'SubAfter',
  ...{ requestId: 'REQ01', msgId: 'ID1', costMs: 7, isSuccess: true, keys: 'k1' },
  end: 'success',
  ...{ timestampMs: produced.timestampMs, group: 'billing' },
}
const end: EndTransactionTrace = {
  ...produced,
  type: 'EndTransaction',
  ...{ tags: 'red', keys: 'k1', storeHost },
  kind: 'committed',
  transactionId: 'TX01',
  state: 'COMMIT_MESSAGE',
  fromCheck: false,
}

const records: readonly (readonly [string, readonly TraceRecord[]])[] = [
  ['pub', [pub]],
  ['pub without tag and keys', [{ ...pub, tags: undefined, keys: undefined }]],
  ['pub that failed', [{ ...pub, tags: 'été', keys: '😀', kind: 'delayed', isSuccess: false }]],
  ['pub of a half', [{ ...pub, keys: 'k1', kind: 'half' }]],
  ['before', [before, { ...before, msgId: 'ID2', keys: undefined }]],
  ...HANDLER_ENDS.map((each, code): [string, TraceRecord[]] => {
    const first = { ...after, end: each, isSuccess: code === 0 }
    return [`after ${code}`, [first, { ...first, msgId: 'ID2', keys: undefined }]]
  }),
  ['end COMMIT_MESSAGE', [end]],
  ['end ROLLBACK_MESSAGE', [{ ...end, state: 'ROLLBACK_MESSAGE' }]],
  ['end UNKNOW', [{ ...end, state: 'UNKNOW', fromCheck: true }]],
  ['recall', [{ type: 'Recall', ...produced, isSuccess: true }]],
]

describe('a record of a trace', () => {
  it('is known here in every kind that Apache wrote', () => {
    expect(records.map(([name]) => name)).toEqual(Object.keys(golden))
  })

  it.each(records)('is written as Apache writes it: %s', (name, made) => {
    expect(made.map(encodeTrace).join('')).toBe(golden[name]?.text)
  })

  it.each(records)('is read as it was written: %s', (name, made) => {
    expect(decodeTraces(golden[name]?.text ?? '')).toEqual(made)
  })

  it('is read from older clients, which wrote fewer fields or one more', () => {
    const fields = encodeTrace(pub).slice(0, -1).split('\x01')
    const [twelve, last] = [fields.slice(0, 12), 'false']
    const read = (row: readonly string[]) => decodeTraces(`${row.join('\x01')}\x02`)[0]
    expect(read(twelve)).toEqual({ ...pub, offsetMsgId: undefined })
    expect(read([...twelve, last])).toEqual({ ...pub, offsetMsgId: undefined, isSuccess: false })
    expect(read([...fields, '10.0.0.1'])).toEqual({ ...pub, clientHost: '10.0.0.1' })
    const six = encodeTrace(after).split('\x01').slice(0, 6)
    expect(read(six)).toEqual({ ...after, timestampMs: undefined, group: undefined })
  })

  it('cannot end early by what an application wrote into it', () => {
    const odd = { ...pub, tags: 'a\x01b\x02c' }
    expect(decodeTraces(encodeTrace(odd))).toEqual([{ ...pub, tags: 'a b c' }])
  })

  it.each([
    '',
    '\x02\x02',
    'Pub',
    'Pub\x011\x01r\x01g\x01t\x01id',
    'Pub\x01soon\x01r\x01g\x01t\x01id\x01\x01\x01\x011\x011\x010\x02',
    'SubAfter\x01a\x01b\x02',
    'SubBefore\x01x\x02',
    'EndTransaction\x011\x01r\x01g\x01t\x01i\x01t\x01k\x01s\x010\x01x\x01MAYBE\x01true\x02',
    'Recall\x01\x02',
    'toString\x01a\x02',
  ])('that is none is left out: %j', (text) => {
    expect(decodeTraces(text)).toEqual([])
    expect(decodeTraces(text + encodeTrace(end))).toHaveLength(
      text.endsWith('\x02') || text === '' ? 1 : 0,
    )
  })
})
