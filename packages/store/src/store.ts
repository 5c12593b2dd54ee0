/**
 * One commit log and the queues derived from it: the store as the broker sees it.
 */
import type { Host } from '@rockhopper/host'
import type { StoreConfig } from './config.ts'
import type { Marks } from './marks.ts'
import type {
  AppendOutcome,
  BatchEntryToStore,
  BatchOutcome,
  BatchToStore,
  MessageToStore,
  QueueBounds,
  ReadOutcome,
  ReadRequest,
  SettleOptions,
  SettleOutcome,
  StoreFigures,
  TimeBoundary,
} from './outcome.ts'
import type { Watermark } from './watermark.ts'

export interface Store {
  readonly marks: Marks
  /** Resolves when the disk has failed and the store takes nothing more: stop the process. */
  readonly failed: Promise<Error>
  append(message: MessageToStore): AppendOutcome
  appendBatch(common: BatchToStore, entries: readonly BatchEntryToStore[]): BatchOutcome
  settled(endOffset: number, options: SettleOptions): SettleOutcome | Promise<SettleOutcome>
  read(request: ReadRequest): ReadOutcome | Promise<ReadOutcome>
  queueBounds(topic: string, queueId: number): QueueBounds
  queueEnd(topic: string, queueId: number): Watermark
  offsetByTime(
    topic: string,
    queueId: number,
    timestampMs: number,
    boundary: TimeBoundary,
  ): Promise<number>
  storeTimeOf(topic: string, queueId: number, queueOffset: number): Promise<number>
  messageAt(logOffset: number): Buffer | undefined | Promise<Buffer | undefined>
  deleteTopic(topic: string): Promise<void>
  runtime(): StoreFigures
  checkpoint(): Promise<void>
  close(): Promise<void>
}

export async function openStore(_host: Host, _config: StoreConfig): Promise<Store> {
  throw new Error('the store cannot be opened yet')
}
