/**
 * The property by which consumers can tell whether all messages of a producer are there:
 *
 *   SEQUENCE_AUDIT = producerId : place : sequence : settled [: givenUp , … ]
 *
 * `sequence` counts from 1 for each producer and queue; `place` is a sum over the name of the queue, so that
 * a copy of the message elsewhere counts for nothing. Of all numbers up to `settled` it is known how
 * they ended: stored, or given up. Those given up are named until a message that names them was stored,
 * as `7` or `7-9`; a `+` behind them says that their messages went to another queue. Ours; Apache
 * passes it on as any property. Owns nothing.
 */
import { crc32 } from 'node:zlib'
import type { MessageQueue } from '@rockhopper/protocol'
import { queueKey } from '../message-queue.ts'

export const STAMP_PROPERTY = 'SEQUENCE_AUDIT'

/** Numbers of which nobody knows whether they were stored, and which are not sent to their queue again. */
export interface GivenUp {
  readonly from: number
  readonly to: number
  /** Whether their messages were sent to another queue. */
  readonly isElsewhere: boolean
}

export interface Stamp {
  /** Who counts: made by chance when a producer is made; with `.2` and so on where it began anew. */
  readonly producerId: string
  /** The crc32 of the queue's key, as 8 hexadecimal digits. */
  readonly place: string
  readonly sequence: number
  readonly settled: number
  readonly givenUp: readonly GivenUp[]
}

/** Ranges given up that a stamp names. */
export const MAX_GIVEN_UP = 32

const STAMP =
  /^([0-9a-f]{12}(?:\.\d{1,9})?):([0-9a-f]{8}):(\d{1,15}):(\d{1,15})(?::([\d+,-]{1,1100}))?$/
const GIVEN_UP = /^(\d{1,15})(?:-(\d{1,15}))?(\+)?$/

export function encodeStamp(stamp: Stamp): string {
  const { producerId, place, sequence, settled, givenUp } = stamp
  const start = `${producerId}:${place}:${sequence}:${settled}`
  return givenUp.length === 0 ? start : `${start}:${givenUp.map(givenUpText).join(',')}`
}

function givenUpText({ from, to, isElsewhere }: GivenUp): string {
  return (from === to ? `${from}` : `${from}-${to}`) + (isElsewhere ? '+' : '')
}

/** The place of a queue. */
export function placeOf(queue: MessageQueue): string {
  return crc32(queueKey(queue)).toString(16).padStart(8, '0')
}

/** Undefined when the text is no stamp. */
export function decodeStamp(text: string): Stamp | undefined {
  const [, producerId, place, sequenceText, settledText, list] = STAMP.exec(text) ?? []
  const [sequence, settled] = [Number(sequenceText), Number(settledText)]
  if (producerId === undefined || place === undefined || settled >= sequence) return undefined
  const words = list?.split(',') ?? []
  if (words.length > MAX_GIVEN_UP) return undefined
  const givenUp = words.map((word) => givenUpOf(word, sequence))
  if (!givenUp.every((each) => each !== undefined)) return undefined
  return { producerId, place, sequence, settled, givenUp }
}

/** What is given up was counted before the message that names it. */
function givenUpOf(text: string, sequence: number): GivenUp | undefined {
  const [, first, last = first, plus] = GIVEN_UP.exec(text) ?? []
  const [from, to] = [Number(first), Number(last)]
  if (!(from >= 1 && to >= from && to < sequence)) return undefined
  return { from, to, isElsewhere: plus !== undefined }
}
