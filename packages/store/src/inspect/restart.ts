/**
 * What a broker would do to a store if it were started on it now: the real recovery runs on a disk
 * whose changes stay in memory. Owns nothing.
 */
import { DiskError, type Logger } from '@rockhopper/host'
import { CorruptionError } from '../errors.ts'
import { OpenFiles } from '../files/open-files.ts'
import { type Recovered, recoverStore } from '../recovery/recover-store.ts'
import { DryDisk } from './dry-disk.ts'
import { SegmentFiles } from './segment-files.ts'
import { configOf, type ReadingHost, type StoreFolder } from './store-folder.ts'

/** What a queue would have. */
export interface RestartedQueue {
  readonly topic: string
  readonly queueId: number
  readonly minOffset: number
  readonly maxOffset: number
}

export type Restart =
  | {
      readonly kind: 'opens'
      /** Records are checked from this offset of the log on. */
      readonly scanFrom: number
      /** The log ends here. */
      readonly endOffset: number
      /** Bytes of a record that was not finished, which are cut away. */
      readonly cutBytes: number
      /** Keys of the log from this offset on are added to the index. */
      readonly keysFrom: number
      readonly queues: readonly RestartedQueue[]
      /** What the broker would warn of. */
      readonly warnings: readonly string[]
    }
  | {
      readonly kind: 'refuses'
      readonly reason: string
      readonly path: string | undefined
      /** Byte in the file. */
      readonly offset: number | undefined
      readonly warnings: readonly string[]
    }

/** Rejects with what is neither the disk's fault nor damage. */
export async function tryRestart(host: ReadingHost, folder: StoreFolder): Promise<Restart> {
  const warnings: string[] = []
  const disk = new DryDisk(host.disk)
  const files = new OpenFiles(disk)
  const doors = { ...host, disk, logger: listener(warnings) }
  try {
    const recovered = await recoverStore(doors, configOf(folder), folder, files)
    return opened(host, folder, recovered, warnings)
  } catch (error) {
    if (error instanceof CorruptionError) {
      return {
        kind: 'refuses',
        reason: error.message,
        path: error.path,
        offset: error.offset,
        warnings,
      }
    }
    if (!(error instanceof Error) || error instanceof DiskError) throw error
    return { kind: 'refuses', reason: error.message, path: undefined, offset: undefined, warnings }
  } finally {
    files.closeAll()
  }
}

function opened(
  { disk }: ReadingHost,
  folder: StoreFolder,
  recovered: Recovered,
  warnings: readonly string[],
): Restart {
  const { checkpointOffset, endOffset, keyIndex, queues } = recovered
  return {
    kind: 'opens',
    scanFrom: checkpointOffset,
    endOffset,
    cutBytes: bytesBehind(
      new SegmentFiles(disk, folder.commitLog, folder.logSegmentBytes),
      endOffset,
    ),
    keysFrom: Math.min(keyIndex?.offset ?? endOffset, endOffset),
    queues: [...queues.places()].flatMap(({ topic, queueId }) => {
      const queue = queues.find(topic, queueId)
      if (queue === undefined) return []
      return { topic, queueId, minOffset: queue.minOffset, maxOffset: queue.nextOffset }
    }),
    warnings,
  }
}

const WINDOW_BYTES = 1024 * 1024
const ZEROS = Buffer.alloc(WINDOW_BYTES)

/** From an offset to behind the last byte that is not zero. */
function bytesBehind(log: SegmentFiles, endOffset: number): number {
  const window = Buffer.allocUnsafe(WINDOW_BYTES)
  let last = endOffset
  for (let at = endOffset; at < log.endOffset; ) {
    const count = log.read(window, at)
    const bytes = window.subarray(0, count)
    if (!bytes.equals(ZEROS.subarray(0, count))) last = at + lastByte(bytes)
    at += count > 0 ? count : log.segmentBytes - (at % log.segmentBytes)
  }
  log.close()
  return last - endOffset
}

/** Behind the last byte that is not zero. */
function lastByte(bytes: Buffer): number {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end -= 1
  return end
}

/** Keeps the sentences, with what tells why. */
function listener(warnings: string[]): Logger {
  const keep: Logger['warn'] = (sentence, fields = {}) => {
    const { error, ...others } = fields
    const details = [
      ...(error instanceof Error ? [error.message] : []),
      ...Object.entries(others).map(([name, value]) => `${name} ${String(value)}`),
    ]
    warnings.push(details.length === 0 ? sentence : `${sentence} (${details.join(', ')})`)
  }
  return { error: keep, warn: keep, info() {}, debug() {}, child: () => listener(warnings) }
}
