/**
 * Every byte that crosses a wire or lands on a disk: tables and pure functions.
 */
export * from './bodies/index.ts'
export type { Command } from './command.ts'
export { allCommands } from './commands/all.ts'
export * from './commands/clients.ts'
export * from './commands/groups.ts'
export * from './commands/locks.ts'
export * from './commands/lookups.ts'
export * from './commands/offsets.ts'
export * from './commands/pull.ts'
export * from './commands/relays.ts'
export * from './commands/replication.ts'
export * from './commands/routes.ts'
export * from './commands/runtime.ts'
export * from './commands/send.ts'
export * from './commands/settings.ts'
export * from './commands/timers.ts'
export * from './commands/topics.ts'
export * from './commands/transactions.ts'
export * from './commands/waiting.ts'
export * from './config-table.ts'
export type { Field, FieldKind, FieldTable, FieldValue, Header } from './field.ts'
export * from './formats.ts'
export { type Frame, FrameDecoder, FrameEncoder, type OutgoingHead } from './frame.ts'
export { MAX_FRAME_BYTES, MAX_HEADER_BYTES } from './frame-limits.ts'
export {
  type Ext,
  FrameError,
  flag,
  type Head,
  HeaderError,
  isOneway,
  isResponse,
  type Serialization,
  serialization,
} from './head.ts'
export { type ExtraFields, extMap, extraField, type FieldSet } from './header.ts'
export {
  ACCEPT_SERIALIZATION,
  LANGUAGE_OTHER,
  languageName,
  PROTOCOL_VERSION,
  versionName,
} from './identity.ts'
export { type Property, parseProperties, withProperties } from './java-properties.ts'
export { decodeRecallHandle, encodeRecallHandle, type RecallHandle } from './recall-handle.ts'
export { type ResponseCode, responseCode, responseCodeName } from './response-code.ts'
export * from './trace.ts'
