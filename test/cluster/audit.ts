/**
 * Reads the queues of a topic from their first to their last offset, and holds what is there
 * against the books. Owns nothing.
 */
import {
  decodeProperties,
  GET_MAX_OFFSET,
  GET_MIN_OFFSET,
  PULL_MESSAGE,
  pullFlag,
  responseCode,
  type StoredRecord,
  scanRecord,
} from '@rockhopper/protocol'
import type { RemotingClient } from '@rockhopper/remoting'
import type { Ledger } from './ledger.ts'
import { numberOf } from './numbered.ts'

const TIMEOUT_MS = 30_000
const MAX_MESSAGES = 1_024
const GROUP = 'auditors'

/** What an audit found; all but `messages` should be 0. */
export interface Findings {
  /** Messages in the queues, those included that were stored and not acknowledged. */
  messages: number
  /** Acknowledged messages that are not where their acknowledgement says. */
  lost: number
  /** Messages with other bytes than they were sent with. */
  wrong: number
  /** Places in a queue without a message, or with one that says it is elsewhere. */
  holes: number
}

export interface AuditOptions {
  readonly remoting: RemotingClient
  /** Of the broker. */
  readonly address: string
  readonly topic: string
  readonly queueCount: number
  readonly ledger: Ledger
}

export async function audit(options: AuditOptions): Promise<Findings> {
  const findings: Findings = { messages: 0, lost: 0, wrong: 0, holes: 0 }
  let confirmed = 0
  const queueIds = Array.from({ length: options.queueCount }, (_, queueId) => queueId)
  await Promise.all(
    queueIds.map((queueId) =>
      readQueue(options, queueId, (record, wantedOffset) => {
        findings.messages++
        if (record.queueOffset !== wantedOffset || record.queueId !== queueId) findings.holes++
        const number = numberOf(record.body)
        const key = decodeProperties(record.properties).get('KEYS')
        if (number === undefined || key !== String(number)) findings.wrong++
        else if (options.ledger.knows({ ...record, number })) confirmed++
      }),
    ),
  )
  findings.lost = options.ledger.acknowledged.value - confirmed
  return findings
}

/** Calls `visit` with each message of a queue and the queue offset it should have. */
async function readQueue(
  { address, remoting, topic }: AuditOptions,
  queueId: number,
  visit: (record: StoredRecord, wantedOffset: number) => void,
): Promise<void> {
  const queue = { topic, queueId }
  const timeoutMs = TIMEOUT_MS
  const first = await remoting.request(address, GET_MIN_OFFSET, queue, { timeoutMs })
  const last = await remoting.request(address, GET_MAX_OFFSET, queue, { timeoutMs })
  const end = last.header().offset
  for (let offset = first.header().offset; offset < end; ) {
    const header = {
      ...queue,
      consumerGroup: GROUP,
      queueOffset: offset,
      maxMsgNums: MAX_MESSAGES,
      sysFlag: pullFlag.subscription,
      subscription: '*',
      expressionType: 'TAG',
    }
    const answer = await remoting.call(address, PULL_MESSAGE, header, { timeoutMs })
    if (answer.code !== responseCode.SUCCESS) {
      const where = `queue ${queueId} at ${offset}, which ends at ${end}`
      throw new Error(`a pull of ${where} was answered with ${answer.code}: ${answer.remark}`)
    }
    for (const record of recordsIn(answer.body)) visit(record, offset++)
    if (answer.header().nextBeginOffset !== offset) {
      throw new Error(`queue ${queueId}: the pull goes on at another offset than ${offset}`)
    }
  }
}

function* recordsIn(body: Buffer): Generator<StoredRecord> {
  for (let at = 0; at < body.length; ) {
    const scanned = scanRecord(body, at, true)
    if (scanned.kind !== 'record') {
      throw new Error(`byte ${at} of ${body.length} pulled ones begins no sound record`)
    }
    yield scanned.record
    at += scanned.record.sizeBytes
  }
}
