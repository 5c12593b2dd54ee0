/**
 * What clients write down of their messages, for people who ask what became of one. The body of a
 * message of the trace topic is a row of records:
 *
 *   type U+0001 field U+0001 … field U+0002
 *
 * A field that is absent is written `null`. Source: Apache class TraceDataEncoder; `client.md`
 * section 14. Pure: it owns nothing.
 */

const FIELD_END = '\x01'
const RECORD_END = '\x02'

/** What stands for a field that is absent. */
const NULL = 'null'

/** Kinds of messages, in the order of their numbers. Source: Apache enum MessageType. */
export const TRACED_KINDS = ['normal', 'half', 'committed', 'delayed', 'ordered'] as const

export type TracedKind = (typeof TRACED_KINDS)[number]

/** How a handler ended, in the order of their numbers. Source: Apache enum ConsumeReturnType. */
export const HANDLER_ENDS = ['success', 'timeout', 'exception', 'null', 'failed'] as const

export type HandlerEnd = (typeof HANDLER_ENDS)[number]

/** Source: Apache enum LocalTransactionState. */
export type TracedState = 'COMMIT_MESSAGE' | 'ROLLBACK_MESSAGE' | 'UNKNOW'

/** What the records of a producer have in common. */
interface Produced {
  /** When it began, in ms since 1970. */
  readonly timestampMs: number
  readonly regionId: string
  readonly group: string
  readonly topic: string
  /** Unique key of the message. */
  readonly msgId: string
}

/** A message was sent. */
export interface PubTrace extends Produced {
  readonly type: 'Pub'
  readonly tags: string | undefined
  /** The keys of the message, joined by blanks. */
  readonly keys: string | undefined
  /** Address of the broker. */
  readonly storeHost: string
  readonly bodyLength: number
  readonly costMs: number
  readonly kind: TracedKind
  readonly offsetMsgId: string | undefined
  readonly isSuccess: boolean
  /** Written by clients before 4.9 only. */
  readonly clientHost?: string | undefined
}

/** A handler is about to get a message. */
export interface SubBeforeTrace {
  readonly type: 'SubBefore'
  readonly timestampMs: number
  readonly regionId: string
  readonly group: string
  /** The same before and after one call of a handler. */
  readonly requestId: string
  readonly msgId: string
  /** How often it was consumed without success before. */
  readonly retryTimes: number
  readonly keys: string | undefined
}

/** A handler is done with a message. */
export interface SubAfterTrace {
  readonly type: 'SubAfter'
  readonly requestId: string
  readonly msgId: string
  /** Time for the whole call, divided by its messages. */
  readonly costMs: number
  readonly isSuccess: boolean
  readonly keys: string | undefined
  readonly end: HandlerEnd
  /** Absent in what some clients wrote, as is the group. */
  readonly timestampMs: number | undefined
  readonly group: string | undefined
}

/** A producer has said how a transaction ended. */
export interface EndTransactionTrace extends Produced {
  readonly type: 'EndTransaction'
  readonly tags: string | undefined
  readonly keys: string | undefined
  readonly storeHost: string
  readonly kind: TracedKind
  readonly transactionId: string
  readonly state: TracedState
  /** Whether the broker had asked. */
  readonly fromCheck: boolean
}

/** A message was called off. */
export interface RecallTrace extends Produced {
  readonly type: 'Recall'
  readonly isSuccess: boolean
}

export type TraceRecord =
  | PubTrace
  | SubBeforeTrace
  | SubAfterTrace
  | EndTransactionTrace
  | RecallTrace

type Value = string | number | boolean | undefined

/** One record as text. Characters that end fields or records become blanks. */
export function encodeTrace(record: TraceRecord): string {
  return [record.type, ...fieldsOf(record)].map(textOf).join(FIELD_END) + RECORD_END
}

function fieldsOf(record: TraceRecord): Value[] {
  switch (record.type) {
    case 'Pub':
      return [
        ...producedFields(record),
        ...[record.tags, record.keys, record.storeHost, record.bodyLength, record.costMs],
        ...[TRACED_KINDS.indexOf(record.kind), record.offsetMsgId, record.isSuccess],
      ]
    case 'SubBefore':
      return [
        ...[record.timestampMs, record.regionId, record.group, record.requestId, record.msgId],
        ...[record.retryTimes, record.keys],
      ]
    case 'SubAfter':
      return [
        ...[record.requestId, record.msgId, record.costMs, record.isSuccess, record.keys],
        ...[HANDLER_ENDS.indexOf(record.end), record.timestampMs, record.group],
      ]
    case 'EndTransaction':
      return [
        ...producedFields(record),
        ...[record.tags, record.keys, record.storeHost, TRACED_KINDS.indexOf(record.kind)],
        ...[record.transactionId, record.state, record.fromCheck],
      ]
    case 'Recall':
      return [...producedFields(record), record.isSuccess]
  }
}

function producedFields({ timestampMs, regionId, group, topic, msgId }: Produced): Value[] {
  return [timestampMs, regionId, group, topic, msgId]
}

function textOf(value: Value): string {
  if (value === undefined) return NULL
  const text = String(value)
  const isPlain = !text.includes(FIELD_END) && !text.includes(RECORD_END)
  return isPlain ? text : text.replaceAll(FIELD_END, ' ').replaceAll(RECORD_END, ' ')
}

/** All records of a text that can be read; others are left out. */
export function decodeTraces(text: string): TraceRecord[] {
  return text.split(RECORD_END).flatMap((line) => {
    const record = recordOf(line.split(FIELD_END))
    return record ?? []
  })
}

function recordOf(fields: readonly string[]): TraceRecord | undefined {
  switch (fields[0]) {
    case 'Pub':
      return pubOf(fields)
    case 'SubBefore':
      return subBeforeOf(fields)
    case 'SubAfter':
      return subAfterOf(fields)
    case 'EndTransaction':
      return endTransactionOf(fields)
    case 'Recall':
      return recallOf(fields)
    default:
      return undefined
  }
}

/** Clients wrote 12 fields at first, then success as the 13th, then the offset id before it. */
function pubOf(fields: readonly string[]): PubTrace | undefined {
  const produced = producedOf(fields)
  const [tags, keys, storeHost] = [6, 7, 8].map((at) => absentOr(fields[at]))
  const [bodyLength, costMs, kind] = [numberOf(fields[9]), numberOf(fields[10]), fields[11]]
  if (produced === undefined || bodyLength === undefined || costMs === undefined) return undefined
  const hasOffsetId = fields.length > 13
  const success = hasOffsetId ? fields[13] : fields[12]
  return {
    ...{ type: 'Pub', ...produced, tags, keys, storeHost: storeHost ?? '', bodyLength, costMs },
    kind: TRACED_KINDS[Number(kind)] ?? 'normal',
    offsetMsgId: hasOffsetId ? absentOr(fields[12]) : undefined,
    isSuccess: success === undefined || success === 'true',
    ...(fields.length > 14 ? { clientHost: fields[14] } : {}),
  }
}

function subBeforeOf(fields: readonly string[]): SubBeforeTrace | undefined {
  const [, timestamp, regionId, group, requestId, msgId, retries, keys] = fields
  const [timestampMs, retryTimes] = [numberOf(timestamp), numberOf(retries)]
  if (timestampMs === undefined || retryTimes === undefined) return undefined
  if (regionId === undefined || group === undefined) return undefined
  if (requestId === undefined || msgId === undefined) return undefined
  const ids = { regionId, group, requestId, msgId }
  return { type: 'SubBefore', timestampMs, ...ids, retryTimes, keys: absentOr(keys) }
}

/** Clients wrote 6 fields at first, then how the handler ended, then time and group. */
function subAfterOf(fields: readonly string[]): SubAfterTrace | undefined {
  const [, requestId, msgId, cost, success, keys, code, timestamp, group] = fields
  const costMs = numberOf(cost)
  if (requestId === undefined || msgId === undefined || costMs === undefined) return undefined
  const isSuccess = success === 'true'
  return {
    ...{ type: 'SubAfter', requestId, msgId, costMs, isSuccess, keys: absentOr(keys) },
    end: HANDLER_ENDS[Number(code)] ?? (isSuccess ? 'success' : 'failed'),
    timestampMs: numberOf(timestamp),
    group,
  }
}

function endTransactionOf(fields: readonly string[]): EndTransactionTrace | undefined {
  const produced = producedOf(fields)
  const [tags, keys, storeHost] = [6, 7, 8].map((at) => absentOr(fields[at]))
  const [, , , , , , , , , kind, transactionId, state, fromCheck] = fields
  if (produced === undefined || transactionId === undefined) return undefined
  if (!isState(state)) return undefined
  return {
    ...{ type: 'EndTransaction', ...produced, tags, keys, storeHost: storeHost ?? '' },
    kind: TRACED_KINDS[Number(kind)] ?? 'normal',
    ...{ transactionId, state, fromCheck: fromCheck === 'true' },
  }
}

function recallOf(fields: readonly string[]): RecallTrace | undefined {
  const produced = producedOf(fields)
  return produced && { type: 'Recall', ...produced, isSuccess: fields[6] === 'true' }
}

function producedOf(fields: readonly string[]): Produced | undefined {
  const [, timestamp, regionId, group, topic, msgId] = fields
  const timestampMs = numberOf(timestamp)
  if (timestampMs === undefined || regionId === undefined || group === undefined) return undefined
  if (topic === undefined || msgId === undefined) return undefined
  return { timestampMs, regionId, group, topic, msgId }
}

function isState(text: string | undefined): text is TracedState {
  return text === 'COMMIT_MESSAGE' || text === 'ROLLBACK_MESSAGE' || text === 'UNKNOW'
}

function absentOr(text: string | undefined): string | undefined {
  return text === NULL ? undefined : text
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : undefined
}
