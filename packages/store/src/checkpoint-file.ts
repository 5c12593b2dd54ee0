/**
 * The checkpoint: up to where everything is on the device, so that a start need not look at what
 * lies before. Owns nothing but the layout.
 *
 *     0  physicMsgTimestamp i64   store time of the last message that is durable in the log
 *     8  logicsMsgTimestamp i64   the same for the queues
 *    16  indexMsgTimestamp i64    the same for the key index
 *    24  masterFlushedOffset i64, confirmPhyOffset i64
 *   256  magic i32, CRC-32 of the rest i32, logOffset i64, bytes 0 to 16 again
 *
 * The first part is Apache's (class StoreCheckpoint; `store-format.md` section 12). The second is
 * ours, in the same sector, so that a torn write cannot part them: up to `logOffset` log and queues
 * are durable. It counts only beside the times it was written with, since Apache, which ignores it,
 * changes those.
 */
import { crc32 } from 'node:zlib'
import type { Disk } from '@rockhopper/host'
import { readInt64, writeInt64 } from '@rockhopper/protocol'

const FILE_BYTES = 4096
const OWN_AT = 256
const OWN_MAGIC = 0x524b4850
const OWN_BYTES = 32
const TIMES_BYTES = 16
/** From which on the CRC counts. */
const SUM_AT = OWN_AT + 8

export interface Checkpoint {
  /** Store time of the last durable message, ms since 1970; 0 when nothing is known. */
  readonly storeTimestamp: number
  /** Up to here log and queues are durable; undefined when another program wrote last. */
  readonly logOffset: number | undefined
}

/** Reads the checkpoint; one that says nothing when there is no file. */
export function readCheckpoint(disk: Disk, path: string): Checkpoint {
  const page = readPage(disk, path)
  const physicTimestamp = readInt64(page, 0)
  const logicsTimestamp = readInt64(page, 8)
  return {
    storeTimestamp: Math.max(0, Math.min(physicTimestamp, logicsTimestamp)),
    logOffset: ownOffset(page),
  }
}

/** Replaces what this broker knows, keeps the rest, and makes it durable. */
export async function writeCheckpoint(
  disk: Disk,
  path: string,
  { storeTimestamp, logOffset }: { storeTimestamp: number; logOffset: number },
): Promise<void> {
  const page = readPage(disk, path)
  writeInt64(page, storeTimestamp, 0)
  writeInt64(page, storeTimestamp, 8)
  page.writeInt32BE(OWN_MAGIC, OWN_AT)
  writeInt64(page, logOffset, SUM_AT)
  page.copy(page, SUM_AT + 8, 0, TIMES_BYTES)
  page.writeUInt32BE(sumOf(page), OWN_AT + 4)
  const file = disk.open(path, 'create')
  try {
    for (let done = 0; done < FILE_BYTES; ) done += file.writeSync([page.subarray(done)], done)
    await file.syncData()
  } finally {
    file.close()
  }
}

function readPage(disk: Disk, path: string): Buffer {
  const page = Buffer.alloc(FILE_BYTES)
  if (disk.stat(path) === undefined) return page
  const file = disk.open(path, 'read')
  try {
    for (let done = 0; done < FILE_BYTES; ) {
      const count = file.readSync(page.subarray(done), done)
      if (count === 0) break
      done += count
    }
  } finally {
    file.close()
  }
  return page
}

function ownOffset(page: Buffer): number | undefined {
  if (page.readInt32BE(OWN_AT) !== OWN_MAGIC) return undefined
  if (page.readUInt32BE(OWN_AT + 4) !== sumOf(page)) return undefined
  const times = page.subarray(SUM_AT + 8, SUM_AT + 8 + TIMES_BYTES)
  return times.equals(page.subarray(0, TIMES_BYTES)) ? readInt64(page, SUM_AT) : undefined
}

function sumOf(page: Buffer): number {
  return crc32(page.subarray(SUM_AT, OWN_AT + OWN_BYTES))
}
