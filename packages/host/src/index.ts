/**
 * The doors to the machine. Only this package touches files, sockets, clocks and chance.
 */
export type { Clock, Timer } from './clock.ts'
export type { Disk, DiskFile, DiskLock, FileStat, OpenMode, VolumeSpace } from './disk.ts'
export { DiskError } from './disk.ts'
export type { LogFields, Logger } from './logger.ts'
export { silentLogger } from './logger.ts'
export type { Host, Machine } from './machine.ts'
export type { Address, Listener, Network, Stream, StreamEvents } from './network.ts'
export { formatAddress, NetworkError, parseAddress } from './network.ts'
export type { Random } from './random.ts'
export { nextTurn } from './turn.ts'
export type { Loop } from './wait.ts'
export { every, pause } from './wait.ts'
