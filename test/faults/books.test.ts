/** What the books of a storm find wrong, each with the smallest story that shows it. */
import { NodeClock } from '@rockhopper/host'
import { encodeProperties, type StoredRecord } from '@rockhopper/protocol'
import { describe, expect, it } from 'vitest'
import { Books, flawless } from './books.ts'
import { numberedMessage } from './numbered-message.ts'

const TOPIC = 'numbers'

/** Books in which messages 0, 1 and 2 were sent and acknowledged at offsets 0, 1 and 2 of queue 0. */
function threeAcknowledged(): Books {
  const books = new Books(new NodeClock(), TOPIC, 1)
  for (const number of [0, 1, 2]) {
    books.noteAttempt(number)
    books.noteAcknowledged(number, acknowledgement(number))
  }
  return books
}

function acknowledgement(number: number, queueOffset = number) {
  const logOffset = queueOffset * 400
  return { queueId: 0, queueOffset, logOffset, uniqueKey: `KEY${number}` }
}

/** What a reader gets when message `number` is stored at `queueOffset`. */
function recordOf(number: number, queueOffset = number): StoredRecord {
  const { body, keys, properties, tag } = numberedMessage(TOPIC, number)
  return {
    ...{ queueId: 0, queueOffset, logOffset: queueOffset * 400, storeTimestamp: 1 },
    ...{ sizeBytes: 400, bodyCrc: 0, flag: 0, sysFlag: 0, bornTimestamp: 1 },
    ...{ bornHost: { ip: Buffer.alloc(4), port: 1 }, storeHost: { ip: Buffer.alloc(4), port: 1 } },
    ...{ reconsumeTimes: 0, preparedTransactionOffset: 0, topic: TOPIC },
    body: Buffer.from(body),
    properties: Buffer.from(
      encodeProperties({
        ...{ UNIQ_KEY: `KEY${number}`, KEYS: String(keys), TAGS: tag, WAIT: 'true' },
        ...properties,
      }),
    ),
  }
}

/** Reads what is at the three places, and says what is wrong. */
function census(books: Books, found: readonly StoredRecord[], minOffset = 0) {
  books.beginCensus()
  for (const [i, record] of found.entries()) books.noteRead(0, minOffset + i, record)
  books.endCensus(0, minOffset, minOffset + found.length)
  books.countCopies()
  return books.flaws
}

const three = [0, 1, 2].map((number) => recordOf(number))

describe('the books of a storm', () => {
  it('find nothing wrong with messages that are where they were acknowledged', () => {
    expect(census(threeAcknowledged(), three)).toEqual(flawless)
  })

  it('find a message lost that was acknowledged and is not there', () => {
    expect(census(threeAcknowledged(), three.slice(0, 2))).toEqual({ ...flawless, lost: 1 })
  })

  it('find a message lost whose place another has', () => {
    const books = threeAcknowledged()
    books.noteAttempt(3)
    const found = [recordOf(0), recordOf(3, 1), recordOf(2)]
    expect(census(books, found)).toEqual({ ...flawless, lost: 1 })
  })

  it('find a message lost that was delivered, though not acknowledged, and is not there any more', () => {
    const books = threeAcknowledged()
    books.noteAttempt(3)
    books.noteRead(0, 3, recordOf(3))
    expect(census(books, three)).toEqual({ ...flawless, lost: 1 })
  })

  it.each([
    ['a byte of the body', { body: Buffer.from(three[1]?.body ?? []).fill(0, 9, 10) }],
    ['a byte too few', { body: three[1]?.body.subarray(0, -1) }],
    ['a key', { properties: Buffer.from(three[1]?.properties ?? []).fill('2', 30, 31) }],
    ['no properties', { properties: Buffer.alloc(0) }],
    ['the place in the log', { logOffset: 1 }],
    ['the topic', { topic: 'other' }],
    ['the flag', { flag: 1 }],
  ])('find a message wrong of which is different: %s', (_, change) => {
    const found = three.map((record, i) => (i === 1 ? { ...record, ...change } : record))
    expect(census(threeAcknowledged(), found as StoredRecord[])).toMatchObject({ wrong: 1 })
  })

  it('find a hole where a queue gives the next message instead', () => {
    const found = [recordOf(0), recordOf(2), recordOf(2)]
    // What is there is elsewhere, and what should be there was not found.
    expect(census(threeAcknowledged(), found)).toMatchObject({ holes: 2 })
  })

  it('find a repeat when a place is acknowledged for two messages', () => {
    const books = threeAcknowledged()
    books.noteAttempt(3)
    books.noteAcknowledged(3, acknowledgement(3, 1))
    expect(books.flaws).toEqual({ ...flawless, repeats: 1 })
  })

  it('find a phantom when a message is there that was never sent', () => {
    expect(census(threeAcknowledged(), [...three, recordOf(9, 3)])).toEqual({
      ...flawless,
      phantoms: 1,
    })
  })

  it('find a phantom when a message is there more often than it was sent', () => {
    const again = recordOf(2, 3)
    expect(census(threeAcknowledged(), [...three, again])).toEqual({ ...flawless, phantoms: 1 })
  })

  it('find messages unread that were removed before anybody had them', () => {
    expect(census(threeAcknowledged(), three.slice(2), 2)).toEqual({ ...flawless, unread: 2 })
  })

  it('forget the end of a queue, and say what part of the log that was', () => {
    const gone = threeAcknowledged().forgetFrom(0, 1)
    expect(gone).toEqual({ count: 2, lowestGone: 400, highestKept: 0 })
  })
})

it('an alarm rings at its acknowledgement, unless it was called off', () => {
  const books = threeAcknowledged()
  const rung: number[] = []
  books.alarmAt(4, () => rung.push(4))
  books.noteAcknowledged(3, acknowledgement(3))
  expect(rung).toEqual([4])
  books.alarmAt(5, () => rung.push(5))
  books.cancelAlarm()
  books.noteAcknowledged(4, acknowledgement(4))
  expect(rung).toEqual([4])
})
