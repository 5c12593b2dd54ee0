/**
 * Messages that nobody sees yet, as a broker of this suite lists them for operators.
 */
import { asBool, asList, asNumber, asObject, asText } from './shape.ts'

/** What both kinds of messages have. */
interface WaitingMessage {
  /** Where it is to go. */
  readonly topic: string
  readonly queueId: number
  readonly uniqueKey: string
  readonly keys: string
  readonly tags: string
  /** When its producer made it, ms since 1970. */
  readonly bornTimestamp: number
  /** When the broker stored it, or its newest copy, ms since 1970. */
  readonly storeTimestamp: number
  readonly commitLogOffset: number
}

/** A message that waits for its time. */
export interface ListedTimer extends WaitingMessage {
  /** When it is due, ms since 1970. */
  readonly dueTimestamp: number
  /** Whether it was called off: it is dropped when it is due. */
  readonly isRecalled: boolean
  /** By which it can be called off. */
  readonly recallHandle: string
}

export interface ListedTimers {
  /** How many wait at the broker. */
  readonly count: number
  /** How many of them each topic has. */
  readonly countsByTopic: Readonly<Record<string, number>>
  /** Those that are looked at first, in that order. */
  readonly timers: readonly ListedTimer[]
  /** Whether there may be more of them than are listed. */
  readonly hasMore: boolean
}

/** A message whose transaction is neither committed nor rolled back. */
export interface ListedTransaction extends WaitingMessage {
  readonly producerGroup: string
  /** How long ago it was made, in ms. */
  readonly ageMs: number
  /** How often its producers were asked. */
  readonly checks: number
}

export interface ListedTransactions {
  /** How many are open at the broker. */
  readonly count: number
  /** How often producers are asked at the most. */
  readonly maxChecks: number
  /** Those that are open for longest. */
  readonly transactions: readonly ListedTransaction[]
  /** Whether there may be more of them than are listed. */
  readonly hasMore: boolean
}

export function encodeListedTimers(timers: ListedTimers): Buffer {
  return Buffer.from(JSON.stringify(timers))
}

/** Throws `SyntaxError` when the body is not JSON. */
export function decodeListedTimers(body: Buffer): ListedTimers {
  const json = asObject(JSON.parse(body.toString()))
  const counts = Object.entries(asObject(json['countsByTopic']))
  return {
    count: asNumber(json['count']),
    countsByTopic: Object.fromEntries(counts.map(([topic, count]) => [topic, asNumber(count)])),
    timers: asList(json['timers']).map((value) => {
      const timer = asObject(value)
      return {
        dueTimestamp: asNumber(timer['dueTimestamp']),
        ...waitingOf(timer),
        isRecalled: asBool(timer['isRecalled']),
        recallHandle: asText(timer['recallHandle']),
      }
    }),
    hasMore: asBool(json['hasMore']),
  }
}

export function encodeListedTransactions(transactions: ListedTransactions): Buffer {
  return Buffer.from(JSON.stringify(transactions))
}

/** Throws `SyntaxError` when the body is not JSON. */
export function decodeListedTransactions(body: Buffer): ListedTransactions {
  const json = asObject(JSON.parse(body.toString()))
  return {
    count: asNumber(json['count']),
    maxChecks: asNumber(json['maxChecks']),
    transactions: asList(json['transactions']).map((value) => {
      const transaction = asObject(value)
      return {
        producerGroup: asText(transaction['producerGroup']),
        ...waitingOf(transaction),
        ageMs: asNumber(transaction['ageMs']),
        checks: asNumber(transaction['checks']),
      }
    }),
    hasMore: asBool(json['hasMore']),
  }
}

function waitingOf(json: Readonly<Record<string, unknown>>): WaitingMessage {
  return {
    topic: asText(json['topic']),
    queueId: asNumber(json['queueId']),
    uniqueKey: asText(json['uniqueKey']),
    keys: asText(json['keys']),
    tags: asText(json['tags']),
    bornTimestamp: asNumber(json['bornTimestamp']),
    storeTimestamp: asNumber(json['storeTimestamp']),
    commitLogOffset: asNumber(json['commitLogOffset']),
  }
}
