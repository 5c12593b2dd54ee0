/**
 * The values that the store takes and answers with. Every outcome that can be expected is one of
 * them; what is thrown is a broken disk.
 */
import type { HostAddress } from '@rockhopper/protocol'

/** A message as its broker hands it over; the store adds offsets and the store time. */
export interface MessageToStore {
  readonly topic: string
  readonly queueId: number
  /** Of the application, opaque here. */
  readonly flag: number
  /** The bits for IPv6 hosts are set by the store. */
  readonly sysFlag: number
  /** When the producer made the message, ms since 1970. */
  readonly bornTimestamp: number
  readonly bornHost: HostAddress
  readonly storeHost: HostAddress
  readonly reconsumeTimes: number
  /** Log offset of the half message of a committed one, else 0. */
  readonly preparedTransactionOffset: number
  readonly body: Uint8Array
  /** Pieces of the properties text, each pair ended. */
  readonly properties: readonly Uint8Array[]
  /** What consumers filter by: the hash of the tag, 0 without one. */
  readonly tagsCode: number
  /** The queue keeps the store time and so much, in ms, in the place of the tags code. */
  readonly delayMs?: number | undefined
  /** Whether its store time is asked for anew; that of a message with a delay is, too. */
  readonly isTimed?: boolean | undefined
}

/** What each message of a batch has of its own. */
export type BatchEntryToStore = Pick<MessageToStore, 'flag' | 'body' | 'properties' | 'tagsCode'>

/** What the messages of a batch have in common. */
export type BatchToStore = Omit<MessageToStore, keyof BatchEntryToStore | 'delayMs' | 'isTimed'>

/** Why nothing was stored; `reason` is a whole sentence. */
export type Rejected =
  | { readonly kind: 'message-illegal'; readonly reason: string }
  | { readonly kind: 'properties-too-long'; readonly reason: string }
  /** The disk is full or failed, the store is closing, or it only copies another one. */
  | { readonly kind: 'not-writable'; readonly reason: string }
  /** Too few others would have it. */
  | { readonly kind: 'too-few-replicas'; readonly reason: string }

export interface Appended {
  readonly kind: 'appended'
  readonly logOffset: number
  readonly queueOffset: number
  /** Log offset behind the record: what `settled` waits for. */
  readonly endOffset: number
  /** Ms since 1970. */
  readonly storeTimestamp: number
}

export type AppendOutcome = Appended | Rejected

export interface BatchAppended {
  readonly kind: 'appended'
  readonly logOffsets: readonly number[]
  /** Of the first message; the others follow one by one. */
  readonly queueOffset: number
  readonly endOffset: number
  readonly storeTimestamp: number
}

export type BatchOutcome = BatchAppended | Rejected

/** What became of bytes of another log. `unsound`: they are not what belongs there. */
export type CopyOutcome =
  | { readonly kind: 'appended' }
  | { readonly kind: 'unsound'; readonly reason: string }
  | Rejected

export interface SettleOptions {
  /** Whether the sender wants to wait for the device, where the store is so configured. */
  readonly waitForFlush: boolean
  /** `syncFlushTimeoutMs` when absent. */
  readonly timeoutMs?: number | undefined
}

/**
 * Whether enough others have a message, too. `replica-timeout`: not yet. `replica-absent`: there are
 * too few others that could have it soon.
 */
export type ReplicaOutcome = 'ok' | 'replica-timeout' | 'replica-absent'

/** `flush-timeout`: stored, and not on the device yet. `failed`: the disk failed meanwhile. */
export type SettleOutcome = 'flush-timeout' | 'failed' | ReplicaOutcome

/** Those who keep copies of the log. */
export interface Replicas {
  /** Why nothing is to be stored now, a whole sentence; undefined when something may be. */
  readonly refusal: string | undefined
  /** When enough of them have everything before `endOffset`, or it is clear that they will not. */
  settled(endOffset: number): ReplicaOutcome | Promise<ReplicaOutcome>
}

/** Decides over messages by what their records say. Its answers hold for one read. */
export interface RecordFilter {
  /** Whether the record that begins at `at` is wanted; it is whole and sound. Throws nothing. */
  matches(source: Buffer, at: number): boolean
  /** Whether it has looked at as much as one read may: the read ends with what was found. */
  readonly isSpent: boolean
}

export interface ReadRequest {
  readonly topic: string
  readonly queueId: number
  /** Queue offset to start at. */
  readonly offset: number
  readonly maxMessages: number
  /** The first message is given whatever its size. */
  readonly maxBytes: number
  /** Tags codes (as signed 32-bit numbers) that are wanted; all when absent. */
  readonly tagHashes?: ReadonlySet<number> | undefined
  /** Decides over the records whose tags are wanted; all of them are when absent. */
  readonly filter?: RecordFilter | undefined
}

/** Source: Apache class GetMessageStatus; `store-runtime.md` section 8. */
export type ReadStatus =
  | 'FOUND'
  | 'NO_MATCHED_MESSAGE'
  | 'MESSAGE_WAS_REMOVING'
  | 'NO_MATCHED_LOGIC_QUEUE'
  | 'NO_MESSAGE_IN_QUEUE'
  | 'OFFSET_FOUND_NULL'
  | 'OFFSET_OVERFLOW_ONE'
  | 'OFFSET_OVERFLOW_BADLY'
  | 'OFFSET_TOO_SMALL'

export interface ReadOutcome {
  readonly status: ReadStatus
  /** Queue offset to go on at. */
  readonly nextOffset: number
  readonly minOffset: number
  readonly maxOffset: number
  /** Records back to back, some slices with several; not to be changed. */
  readonly slices: readonly Buffer[]
  readonly messageCount: number
  readonly bytes: number
}

export interface QueueBounds {
  /** First queue offset that is still there. */
  readonly minOffset: number
  /** Queue offset that the next message to be seen will have. */
  readonly maxOffset: number
}

/** Where a store stands; all offsets are of the commit log. */
export interface StoreFigures {
  readonly minOffset: number
  readonly appendedOffset: number
  readonly writtenOffset: number
  readonly flushedOffset: number
  readonly confirmedOffset: number
  readonly dispatchedOffset: number
  readonly totalDiskBytes: number
  readonly freeDiskBytes: number
}

/** Which of two neighbours is taken when no message has exactly the time that is asked for. */
export type TimeBoundary = 'lower' | 'upper'

export interface KeyQuery {
  readonly maxMessages: number
  /** Store times in ms since 1970, both inclusive. */
  readonly beginTimestamp: number
  readonly endTimestamp: number
}

/** Source: Apache class QueryMessageResult. */
export interface KeyAnswer {
  /** Whole records, oldest first; not to be changed. */
  readonly records: readonly Buffer[]
  /** Store time and log offset of the last message with a key; 0 when there was none. */
  readonly indexLastUpdateTimestamp: number
  readonly indexLastUpdateOffset: number
}
