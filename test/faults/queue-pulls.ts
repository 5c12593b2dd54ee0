/**
 * Reads the queues of a topic as a consumer's pulls do, and asks for their bounds. Owns nothing.
 */
import {
  GET_MAX_OFFSET,
  GET_MIN_OFFSET,
  PULL_MESSAGE,
  pullFlag,
  responseCode,
  type StoredRecord,
  scanRecord,
} from '@rockhopper/protocol'
import type { RemotingClient } from '@rockhopper/remoting'

const TIMEOUT_MS = 30_000
const MAX_MESSAGES = 1_024

export interface PullOptions {
  readonly remoting: RemotingClient
  /** Of the broker. */
  readonly address: string
  readonly topic: string
  readonly group: string
}

/** The messages from an offset on; none when the queue ends there, `moved` when it begins later. */
export type Pulled =
  | {
      readonly kind: 'messages'
      readonly records: readonly StoredRecord[]
      /** Where the queue ended. */
      readonly maxOffset: number
    }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'moved'; readonly nextOffset: number }

export async function pull(
  { address, group, remoting, topic }: PullOptions,
  queueId: number,
  queueOffset: number,
): Promise<Pulled> {
  const header = {
    ...{ topic, queueId, queueOffset },
    consumerGroup: group,
    maxMsgNums: MAX_MESSAGES,
    sysFlag: pullFlag.subscription,
    subscription: '*',
    expressionType: 'TAG',
  }
  const answer = await remoting.call(address, PULL_MESSAGE, header, { timeoutMs: TIMEOUT_MS })
  switch (answer.code) {
    case responseCode.SUCCESS:
      return {
        kind: 'messages',
        records: [...recordsIn(answer.body)],
        maxOffset: answer.header().maxOffset,
      }
    case responseCode.PULL_NOT_FOUND:
      return { kind: 'nothing' }
    case responseCode.PULL_OFFSET_MOVED:
    case responseCode.PULL_RETRY_IMMEDIATELY:
      return { kind: 'moved', nextOffset: answer.header().nextBeginOffset }
  }
  const where = `queue ${queueId} at ${queueOffset}`
  throw new Error(`a pull of ${where} was answered with ${answer.code}: ${answer.remark}`)
}

/** All messages of a queue from an offset on, to where it ends when it is come by. */
export async function* messagesOf(
  place: PullOptions,
  queueId: number,
  from = 0,
): AsyncGenerator<StoredRecord> {
  for (let offset = from; ; ) {
    const pulled = await pull(place, queueId, offset)
    if (pulled.kind === 'nothing') return
    if (pulled.kind === 'moved') offset = pulled.nextOffset
    else {
      yield* pulled.records
      offset += pulled.records.length
    }
  }
}

/** The first offset of a queue, and the one behind its last. */
export interface Bounds {
  readonly minOffset: number
  readonly maxOffset: number
}

export async function boundsOf(
  { address, remoting, topic }: PullOptions,
  queueId: number,
): Promise<Bounds> {
  const queue = { topic, queueId }
  const timeoutMs = TIMEOUT_MS
  const first = await remoting.request(address, GET_MIN_OFFSET, queue, { timeoutMs })
  const last = await remoting.request(address, GET_MAX_OFFSET, queue, { timeoutMs })
  return { minOffset: first.header().offset, maxOffset: last.header().offset }
}

/** The messages of an answer, taken apart. Throws when one is not sound. */
export function* recordsIn(body: Buffer): Generator<StoredRecord> {
  for (let at = 0; at < body.length; ) {
    const scanned = scanRecord(body, at, true)
    if (scanned.kind !== 'record') {
      throw new Error(`byte ${at} of ${body.length} pulled ones begins no sound record`)
    }
    yield scanned.record
    at += scanned.record.sizeBytes
  }
}
