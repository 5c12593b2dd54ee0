/**
 * Cuts many messages into batches that a broker takes. Owns nothing.
 */
import { badOption } from '../errors.ts'
import type { Message } from './message.ts'
import { memberBytes } from './parcel.ts'

/** Most of a batch when nothing is said: what producers and brokers allow unless told otherwise. */
const DEFAULT_MAX_BYTES = 4 * 1024 * 1024

/**
 * The messages in their order, as batches of at most `maxBytes` (default 4 MiB) for `sendBatch`. A
 * message that is longer by itself is a batch of its own, which `sendBatch` refuses with the reason.
 * Each batch is stored as a whole or not at all; what is said of one says nothing of the next.
 * Throws `ClientError` BAD_MESSAGE for a message that breaks a rule, when its turn comes.
 */
export function* splitBatch(
  messages: Iterable<Message>,
  maxBytes: number = DEFAULT_MAX_BYTES,
): Generator<Message[], void, void> {
  if (!Number.isInteger(maxBytes) || maxBytes < 1) {
    throw badOption(`maxBytes is ${maxBytes}`, 'use a whole number from 1')
  }
  let batch: Message[] = []
  let sizeBytes = 0
  for (const message of messages) {
    const bytes = memberBytes(message)
    if (batch.length > 0 && sizeBytes + bytes > maxBytes) {
      yield batch
      batch = []
      sizeBytes = 0
    }
    batch.push(message)
    sizeBytes += bytes
  }
  if (batch.length > 0) yield batch
}
