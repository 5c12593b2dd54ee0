/**
 * Puts together the parts that read a store. Owns nothing.
 */
import type { Clock, Logger } from '@rockhopper/host'
import type { RecordView } from '@rockhopper/protocol'
import type { StoreConfig } from './config.ts'
import type { SegmentFolder } from './files/segment-folder.ts'
import type { CommitLog } from './log/commit-log.ts'
import { DamageNotices } from './log/damage-notices.ts'
import { LogPages } from './log/log-pages.ts'
import { LogPieces } from './log/log-pieces.ts'
import { LogReader } from './log/log-reader.ts'
import type { LogSums } from './log/log-sums.ts'
import { walkLog } from './log/log-walk.ts'
import { LogWindows } from './log/log-windows.ts'
import { QueueReader } from './queues/queue-reader.ts'
import type { QueueTable } from './queues/queue-table.ts'
import { UnitRepair } from './queues/unit-repair.ts'
import type { Watermark } from './watermark.ts'

interface ReaderParts {
  readonly config: StoreConfig
  readonly clock: Clock
  readonly logger: Logger
  readonly log: CommitLog
  readonly folder: SegmentFolder
  readonly sums: LogSums
  readonly queues: QueueTable
  readonly written: Watermark
}

export interface Readers {
  readonly logReader: LogReader
  readonly logPieces: LogPieces
  readonly queueReader: QueueReader
  readonly unitRepair: UnitRepair
  /** The records of the log between two offsets; see `walkLog`. */
  readonly walk: (from: number, to: number) => AsyncGenerator<RecordView>
}

export function makeReaders(parts: ReaderParts): Readers {
  const { clock, config, folder, log, logger, queues, sums, written } = parts
  const pages = new LogPages(folder, sums, written, clock)
  const notices = new DamageNotices(folder, logger)
  const logReader = new LogReader(log, new LogWindows(pages, log.tail), notices)
  const unitRepair = new UnitRepair({
    ...{ log, pages, notices, reader: logReader, queues, logger },
    delays: config.delays,
  })
  const queueReader = new QueueReader({
    queues,
    log,
    reader: logReader,
    repair: unitRepair,
    config,
  })
  const walk: Readers['walk'] = (from, to) => walkLog(pages, notices, from, to)
  const logPieces = new LogPieces(log, pages, notices)
  return { logReader, logPieces, queueReader, unitRepair, walk }
}
