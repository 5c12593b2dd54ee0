/**
 * The messages of a queue of the broker's own, one after the other. Owns nothing.
 */
import type { Logger } from '@rockhopper/host'
import { readRecord, type StoredRecord } from '@rockhopper/protocol'
import { CorruptionError, type ReadOutcome, type Store } from '@rockhopper/store'
import { MAX_DUE_BYTES, MAX_DUE_MESSAGES } from '../limits.ts'

/** A part of a queue. */
export interface QueueStretch {
  readonly topic: string
  readonly queueId: number
  readonly from: number
  /** Offset at which the part ends. */
  readonly to: number
}

/** Those that are damaged are told of and left out. Rejects with `DiskError`. */
export async function* queueRecords(
  { from, to, ...queue }: QueueStretch,
  { logger, store }: { readonly logger: Logger; readonly store: Store },
): AsyncGenerator<StoredRecord> {
  let offset = from
  while (offset < to) {
    const maxMessages = Math.min(to - offset, MAX_DUE_MESSAGES)
    const read = await soundRead(store, { ...queue, offset, maxMessages })
    if (read === undefined) logger.error('A message is lost.', { ...queue, offset })
    else yield* recordsIn(read.slices)
    const next = read?.nextOffset ?? offset + 1
    if (next <= offset) return
    offset = next
  }
}

interface Place {
  readonly topic: string
  readonly queueId: number
  readonly offset: number
  readonly maxMessages: number
}

/** Undefined when the first message is lost. */
async function soundRead(store: Store, place: Place): Promise<ReadOutcome | undefined> {
  try {
    return await store.read({ ...place, maxBytes: MAX_DUE_BYTES })
  } catch (error) {
    if (!(error instanceof CorruptionError)) throw error
    return place.maxMessages > 1 ? soundRead(store, { ...place, maxMessages: 1 }) : undefined
  }
}

/** Records that lie back to back in slices. */
export function* recordsIn(slices: readonly Buffer[]): Generator<StoredRecord> {
  for (const slice of slices) {
    for (let at = 0; at < slice.length; ) {
      const record = readRecord(slice, at)
      if (record === undefined) return
      yield record
      at += record.sizeBytes
    }
  }
}
