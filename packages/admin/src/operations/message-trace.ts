/** Finds what clients wrote down of a message, and puts it together. */
import {
  decodeTraces,
  type EndTransactionTrace,
  type PubTrace,
  type SubAfterTrace,
  type SubBeforeTrace,
  TRACE_TOPIC,
  type TraceRecord,
} from '@rockhopper/protocol'
import type { AdminClient } from '../admin-client.ts'
import { messagesByKey } from './find-message.ts'

export interface TraceScope {
  /** Unique key of the message. */
  readonly msgId: string
  readonly traceTopic?: string | undefined
  /** Most messages of traces from each broker. */
  readonly maxNum?: number | undefined
  /** Traces that were stored from then until then, ms since 1970. */
  readonly beginMs?: number | undefined
  readonly endMs?: number | undefined
}

/** A record, and who wrote it. */
type Written<R> = R & {
  /** Address of the machine of the client. */
  readonly clientHost: string
}

/** One call of a handler. */
export type ConsumeTrace = Omit<Written<SubAfterTrace>, 'timestampMs' | 'group'> & {
  readonly group: string
  /** When the call ended, ms since 1970; undefined when nobody wrote it. */
  readonly timestampMs: number | undefined
  /** When it began, and how often the message had failed before, where that was written. */
  readonly startedMs: number | undefined
  readonly retryTimes: number | undefined
}

export interface MessageTrace {
  readonly sends: readonly Written<PubTrace>[]
  readonly transactionEnds: readonly Written<EndTransactionTrace>[]
  /** Calls of handlers that ended. */
  readonly consumed: readonly ConsumeTrace[]
  /** Calls of which only the begin was written. */
  readonly begun: readonly Written<SubBeforeTrace>[]
}

const DEFAULT_MAX_NUM = 64

/** All that was written of a message, in the order it was stored; empty when nothing was. */
export async function messageTrace(client: AdminClient, scope: TraceScope): Promise<MessageTrace> {
  const { msgId, traceTopic = TRACE_TOPIC, maxNum = DEFAULT_MAX_NUM } = scope
  const { beginMs = 0, endMs = Number.MAX_SAFE_INTEGER } = scope
  const found = await messagesByKey(client, {
    ...{ topic: traceTopic, key: msgId, maxNum, beginMs, endMs },
  })
  const records = found.flatMap(({ body, bornHost }) =>
    decodeTraces(body)
      .filter((record) => record.msgId === msgId)
      .map((record) => ({ ...record, clientHost: hostOf(bornHost) })),
  )
  const before = records.filter((record) => isOf(record, 'SubBefore'))
  const beginOf = new Map(before.map((record) => [record.requestId, record]))
  const after = records.filter((record) => isOf(record, 'SubAfter'))
  const ended = new Set(after.map(({ requestId }) => requestId))
  return {
    sends: records.filter((record) => isOf(record, 'Pub')),
    transactionEnds: records.filter((record) => isOf(record, 'EndTransaction')),
    consumed: after.map((record) => {
      const begin = beginOf.get(record.requestId)
      const group = record.group ?? begin?.group ?? 'null'
      return { ...record, group, startedMs: begin?.timestampMs, retryTimes: begin?.retryTimes }
    }),
    begun: before.filter(({ requestId }) => !ended.has(requestId)),
  }
}

function isOf<T extends TraceRecord['type']>(
  record: Written<TraceRecord>,
  type: T,
): record is Written<Extract<TraceRecord, { type: T }>> {
  return record.type === type
}

/** `host:port` without the port. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
}
