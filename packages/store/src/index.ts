/**
 * One commit log and what is derived from it, on one disk.
 */
export type { KeyIndexConfig, RetentionConfig, StoreConfig } from './config.ts'
export { CorruptionError } from './errors.ts'
export { readJsonFile, writeJsonFile } from './files/json-file.ts'
export type { Marks } from './log/marks.ts'
export { openStore } from './open-store.ts'
export type * from './outcome.ts'
export { type CutLog, cutLog } from './recovery/cut-log.ts'
export type { Store } from './store.ts'
export { type WaitOptions, Watermark } from './watermark.ts'
