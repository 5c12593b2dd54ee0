/**
 * The body of a batch: several messages of one topic in one request.
 * Source: Apache class MessageDecoder; `store-format.md` section 14.
 *
 *   total size i32 · magic i32 (0) · CRC i32 (0) · flag i32 · body i32 + n · properties i16 + n
 */

const FIXED_BYTES = 22

export interface BatchEntry {
  readonly flag: number
  readonly body: Buffer
  /** In the text form of `properties.ts`. */
  readonly properties: Buffer
}

export function encodeBatch(entries: readonly BatchEntry[]): Buffer {
  let batchBytes = 0
  for (const { body, properties } of entries) {
    batchBytes += FIXED_BYTES + body.length + properties.length
  }
  const batch = Buffer.allocUnsafe(batchBytes)
  const view = new DataView(batch.buffer, batch.byteOffset, batchBytes)
  let at = 0
  for (const { flag, body, properties } of entries) {
    view.setInt32(at, FIXED_BYTES + body.length + properties.length)
    view.setInt32(at + 4, 0)
    view.setInt32(at + 8, 0)
    view.setInt32(at + 12, flag)
    view.setInt32(at + 16, body.length)
    batch.set(body, at + 20)
    at += 20 + body.length
    view.setInt16(at, properties.length)
    batch.set(properties, at + 2)
    at += 2 + properties.length
  }
  return batch
}

/** Takes a batch apart into views. Throws `RangeError` when its lengths disagree. */
export function decodeBatch(batch: Buffer): BatchEntry[] {
  const entries: BatchEntry[] = []
  for (let at = 0; at < batch.length; ) {
    const entry = entryAt(batch, at)
    if (entry === undefined) {
      throw new RangeError(`message ${entries.length} of the batch has lengths that disagree`)
    }
    entries.push(entry)
    at += FIXED_BYTES + entry.body.length + entry.properties.length
  }
  return entries
}

function entryAt(batch: Buffer, at: number): BatchEntry | undefined {
  if (at + FIXED_BYTES > batch.length) return undefined
  const end = at + batch.readInt32BE(at)
  const bodyAt = at + 20
  const bodyEnd = bodyAt + batch.readInt32BE(at + 16)
  if (bodyEnd < bodyAt || bodyEnd + 2 > end || end > batch.length) return undefined
  if (bodyEnd + 2 + batch.readInt16BE(bodyEnd) !== end) return undefined
  return {
    flag: batch.readInt32BE(at + 12),
    body: batch.subarray(bodyAt, bodyEnd),
    properties: batch.subarray(bodyEnd + 2, end),
  }
}
