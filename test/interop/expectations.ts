/**
 * What must be true of messages that went through a broker: the bodies java/InteropClient.java makes,
 * each message once, queues without holes. Each check fails with the numbers that are wrong.
 */
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Received, Sent } from './java-client.ts'

/** The body of message number `index`: its text number, a colon, then bytes made of both. */
export function bodyOf(index: number, sizeBytes: number): Buffer {
  const head = Buffer.from(`${index}:`, 'ascii')
  const body = Buffer.alloc(Math.max(sizeBytes, head.length))
  head.copy(body)
  for (let i = head.length; i < body.length; i++) body[i] = (index * 31 + i) & 0xff
  return body
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The numbers from `start` to before `end`. */
export function range(start: number, end: number): number[] {
  return Array.from({ length: Math.max(end - start, 0) }, (_, i) => start + i)
}

/** What every received message tells, whichever client received it. */
export interface Placed {
  readonly broker: string
  readonly queueId: number
  readonly queueOffset: number
}

export function indexesOf(messages: readonly Received[]): number[] {
  return messages.map((message) => Number(message.index)).sort((a, b) => a - b)
}

/** Each expected number exactly once, and no other. */
export function expectEachOnce(messages: readonly Received[], start: number, end: number): void {
  expect(indexesOf(messages)).toEqual(range(start, end))
}

export function expectUnchanged(messages: readonly Received[], sizeBytes: number): void {
  const wrong = messages.filter((message) => {
    const body = bodyOf(Number(message.index), sizeBytes)
    return message.bodySize !== body.length || message.bodySha256 !== sha256(body)
  })
  expect(wrong).toEqual([])
}

/** In each queue, offsets in the order of arrival rise by one from `first`. */
export function expectQueueOrder(messages: readonly Placed[], first = 0): void {
  for (const [queue, offsets] of offsetsByQueue(messages)) {
    expect([queue, offsets]).toEqual([queue, range(first, first + offsets.length)])
  }
}

export function offsetsByQueue(messages: readonly Placed[]): Map<string, number[]> {
  const queues = new Map<string, number[]>()
  for (const { broker, queueId, queueOffset } of messages) {
    const queue = `${broker}:${queueId}`
    const offsets = queues.get(queue) ?? []
    offsets.push(queueOffset)
    queues.set(queue, offsets)
  }
  return queues
}

/** The place the sender was told is the place the receiver found the message at. */
export function expectSamePlaces(sent: readonly Sent[], received: readonly Received[]): void {
  const places = new Map(received.map((message) => [message.msgId, placeOf(message)]))
  const told = sent.filter((each) => each.queueOffset !== undefined)
  expect(told.map((each) => places.get(each.msgId))).toEqual(told.map(placeOf))
}

/** Whether members own so many queues between them: each its share, and none the same. */
export function areShared(owned: readonly (readonly string[])[], total: number): boolean {
  const least = Math.floor(total / owned.length)
  const most = Math.ceil(total / owned.length)
  const areFair = owned.every(({ length }) => least <= length && length <= most)
  return areFair && owned.flat().length === total && new Set(owned.flat()).size === total
}

function placeOf(message: Partial<Placed>): string {
  return `${message.broker}:${message.queueId}@${message.queueOffset}`
}

/** An id made by a broker: the address it stored the message at and the offset in its log. */
export function parseOffsetId(id: string): { addr: string; logOffset: bigint } {
  expect(id).toMatch(/^[0-9A-F]{32}$/)
  const bytes = Buffer.from(id, 'hex')
  const addr = `${[...bytes.subarray(0, 4)].join('.')}:${bytes.readInt32BE(4)}`
  return { addr, logOffset: bytes.readBigInt64BE(8) }
}
