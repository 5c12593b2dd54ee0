/**
 * How replication stands at a broker: at a master, each of its slaves; at a slave, where it is.
 * Source: Apache class HARuntimeInfo; `replication.md` section 14. Bodies are in its JSON.
 */
import { parseFastjson } from '../fastjson.ts'
import { asBool, asList, asNumber, asObject, asText } from './shape.ts'

/** One slave as its master sees it. */
export interface SlaveStatus {
  /** Where it connected from, `host:port`. */
  readonly addr: string
  /** End of its log, as it said last. */
  readonly slaveAckOffset: number
  /** How many bytes it is behind. */
  readonly diff: number
  readonly inSync: boolean
  readonly transferredByteInSecond: number
  /** Offset of the next byte that it is sent. */
  readonly transferFromWhere: number
}

/** Where a slave is. Times are ms since 1970, 0 for never. */
export interface FollowingStatus {
  /** Where it gets the log from; empty while nobody told. */
  readonly masterAddr: string
  readonly transferredByteInSecond: number
  /** End of its own log. */
  readonly maxOffset: number
  readonly lastReadTimestamp: number
  readonly lastWriteTimestamp: number
  readonly masterFlushOffset: number
}

export type HaStatus =
  | {
      readonly role: 'master'
      readonly logEndOffset: number
      readonly inSyncSlaves: number
      readonly slaves: readonly SlaveStatus[]
    }
  | { readonly role: 'slave'; readonly following: FollowingStatus }

const NOT_FOLLOWING: FollowingStatus = {
  lastReadTimestamp: 0,
  lastWriteTimestamp: 0,
  masterAddr: '',
  masterFlushOffset: 0,
  maxOffset: 0,
  transferredByteInSecond: 0,
}

export function encodeHaStatus(status: HaStatus): Buffer {
  const isMaster = status.role === 'master'
  return Buffer.from(
    JSON.stringify({
      haClientRuntimeInfo: isMaster ? NOT_FOLLOWING : status.following,
      haConnectionInfo: isMaster ? status.slaves : [],
      inSyncSlaveNums: isMaster ? status.inSyncSlaves : 0,
      master: isMaster,
      masterCommitLogMaxOffset: isMaster ? status.logEndOffset : 0,
    }),
  )
}

/** Throws `SyntaxError` when the body is not JSON in any of the known dialects. */
export function decodeHaStatus(body: Buffer): HaStatus {
  const json = asObject(parseFastjson(body.toString()))
  if (!asBool(json['master'])) {
    return { role: 'slave', following: followingOf(json['haClientRuntimeInfo']) }
  }
  return {
    role: 'master',
    logEndOffset: asNumber(json['masterCommitLogMaxOffset']),
    inSyncSlaves: asNumber(json['inSyncSlaveNums']),
    slaves: asList(json['haConnectionInfo']).map(slaveOf),
  }
}

function followingOf(value: unknown): FollowingStatus {
  const json = asObject(value)
  return {
    lastReadTimestamp: asNumber(json['lastReadTimestamp']),
    lastWriteTimestamp: asNumber(json['lastWriteTimestamp']),
    masterAddr: asText(json['masterAddr']),
    masterFlushOffset: asNumber(json['masterFlushOffset']),
    maxOffset: asNumber(json['maxOffset']),
    transferredByteInSecond: asNumber(json['transferredByteInSecond']),
  }
}

function slaveOf(value: unknown): SlaveStatus {
  const json = asObject(value)
  return {
    addr: asText(json['addr']),
    diff: asNumber(json['diff']),
    inSync: asBool(json['inSync']),
    slaveAckOffset: asNumber(json['slaveAckOffset']),
    transferFromWhere: asNumber(json['transferFromWhere']),
    transferredByteInSecond: asNumber(json['transferredByteInSecond']),
  }
}
