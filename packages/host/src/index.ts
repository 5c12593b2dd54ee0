/**
 * The doors to the machine. Only this package touches files, sockets, clocks and chance.
 */
export type { Clock, Timer } from './clock.ts'
export type {
  Disk,
  DiskFile,
  DiskLock,
  FileStat,
  OpenMode,
  ReadOnlyDisk,
  ReadOnlyFile,
  VolumeSpace,
} from './disk.ts'
export { DiskError } from './disk.ts'
export { type FolderUse, folderUse } from './folder-lock.ts'
export type { LogFields, Logger } from './logger.ts'
export { silentLogger } from './logger.ts'
export type { Host, Machine } from './machine.ts'
export type { Address, ConnectOptions, Listener, Network, Stream, StreamEvents } from './network.ts'
export { formatAddress, NetworkError, parseAddress } from './network.ts'
export { NodeClock } from './node-clock.ts'
export { NodeDisk } from './node-disk.ts'
export type { NodeHostOptions } from './node-host.ts'
export { nodeHost } from './node-host.ts'
export { nodeMachine } from './node-machine.ts'
export { NodeNetwork } from './node-network.ts'
export { NodeRandom } from './node-random.ts'
export type { LogLevel, PinoLoggerOptions } from './pino-logger.ts'
export { pinoLogger } from './pino-logger.ts'
export type { Random } from './random.ts'
export { nextTurn } from './turn.ts'
export type { Loop } from './wait.ts'
export { every, pause } from './wait.ts'
export { type FormerFile, readWholeFile, replaceFile, writeBytes } from './whole-file.ts'
