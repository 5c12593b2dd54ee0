/**
 * What becomes of a read: the code of the answer, where the reader is to go on, and which of the
 * brokers of this name it is to ask next. Pure.
 *
 * A slave corrects no offsets, for its master may have what it does not have yet. While the master is
 * there, whoever finds nothing new is sent back to it. While it is not, who is at the end waits.
 * Source: Apache classes PullMessageProcessor, DefaultPullMessageResultHandler, DefaultMessageStore;
 * `broker-api.md` section 4.3, `store-runtime.md` sections 8 and 9.
 */
import { type ResponseCode, readInt64, responseCode } from '@rockhopper/protocol'
import type { ReadOutcome } from '@rockhopper/store'

/** Beside what a store finds: the group was put to another offset. */
export type PullOutcome = Omit<ReadOutcome, 'status'> & {
  readonly status: ReadOutcome['status'] | 'OFFSET_RESET'
}

/** Who answers. */
export type PullRole =
  | { readonly kind: 'master'; readonly sendsToSlaves: boolean }
  | {
      readonly kind: 'slave'
      readonly brokerId: number
      readonly correctsOffsets: boolean
      readonly isMasterThere: boolean
    }

/** The brokers that a group reads from. Source: Apache class SubscriptionGroupConfig. */
export interface GroupBrokers {
  readonly brokerId: number
  readonly whichBrokerWhenConsumeSlowly: number
}

const MASTER_ID = 0

export function codeOf(
  { status }: Pick<PullOutcome, 'status'>,
  queueOffset: number,
  role: PullRole,
): ResponseCode {
  const code = masterCodeOf(status, queueOffset)
  if (role.kind === 'master' || code === responseCode.SUCCESS) return code
  if (role.isMasterThere) return responseCode.PULL_RETRY_IMMEDIATELY
  const isMoved = code === responseCode.PULL_OFFSET_MOVED
  return isMoved && !role.correctsOffsets ? responseCode.PULL_RETRY_IMMEDIATELY : code
}

function masterCodeOf(status: PullOutcome['status'], queueOffset: number): ResponseCode {
  switch (status) {
    case 'FOUND':
      return responseCode.SUCCESS
    case 'NO_MATCHED_MESSAGE':
    case 'MESSAGE_WAS_REMOVING':
      return responseCode.PULL_RETRY_IMMEDIATELY
    case 'NO_MATCHED_LOGIC_QUEUE':
    case 'NO_MESSAGE_IN_QUEUE':
      return queueOffset === 0 ? responseCode.PULL_NOT_FOUND : responseCode.PULL_OFFSET_MOVED
    case 'OFFSET_FOUND_NULL':
    case 'OFFSET_OVERFLOW_ONE':
      return responseCode.PULL_NOT_FOUND
    case 'OFFSET_OVERFLOW_BADLY':
    case 'OFFSET_TOO_SMALL':
    case 'OFFSET_RESET':
      return responseCode.PULL_OFFSET_MOVED
  }
}

/** Whether the reader has all there is: the one state in which a request is held. */
export function isAtEnd({ status }: ReadOutcome, queueOffset: number, role: PullRole): boolean {
  switch (status) {
    case 'OFFSET_OVERFLOW_ONE':
    case 'OFFSET_FOUND_NULL':
      return mayHold(role)
    case 'NO_MATCHED_LOGIC_QUEUE':
    case 'NO_MESSAGE_IN_QUEUE':
      return queueOffset === 0 ? mayHold(role) : waitsForMaster(role)
    case 'OFFSET_OVERFLOW_BADLY':
    case 'OFFSET_TOO_SMALL':
      return waitsForMaster(role)
    default:
      return false
  }
}

/** With its master there, a slave sends the reader back to it at once. */
function mayHold(role: PullRole): boolean {
  return role.kind === 'master' || !role.isMasterThere
}

/** What this slave does not have, its master may have when it is back: asking again would not help. */
function waitsForMaster(role: PullRole): boolean {
  return role.kind === 'slave' && !role.isMasterThere && !role.correctsOffsets
}

/** A slave leaves the reader where it is. */
export function uncorrected<O extends PullOutcome | ReadOutcome>(
  outcome: O,
  queueOffset: number,
  role: PullRole,
): O {
  if (role.kind === 'master' || role.correctsOffsets) return outcome
  switch (outcome.status) {
    case 'FOUND':
    case 'NO_MATCHED_MESSAGE':
    case 'MESSAGE_WAS_REMOVING':
    case 'OFFSET_RESET':
      return outcome
    default:
      return { ...outcome, nextOffset: queueOffset }
  }
}

/**
 * The broker id to ask next. A slave whose master is gone names itself, so that nobody tries the
 * master in vain; Apache's slave names the master always.
 */
export function suggestedBroker(group: GroupBrokers, isFarBehind: boolean, role: PullRole): number {
  if (role.kind === 'slave' && !role.isMasterThere) return role.brokerId
  if (role.kind === 'slave') return isFarBehind ? group.whichBrokerWhenConsumeSlowly : MASTER_ID
  if (!role.sendsToSlaves) return MASTER_ID
  return isFarBehind ? group.whichBrokerWhenConsumeSlowly : group.brokerId
}

/** Where a record tells its place in the log. */
const LOG_OFFSET_AT = 28

/** Whether what was read lies more than so many bytes before the end of the log. */
export function isFarBehind(
  { slices }: Pick<PullOutcome, 'slices'>,
  logEndOffset: number,
  memoryBytes: number,
): boolean {
  const last = slices.at(-1)
  return last !== undefined && logEndOffset - readInt64(last, LOG_OFFSET_AT) > memoryBytes
}
