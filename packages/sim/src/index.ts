/**
 * A whole cluster in one process under virtual time, from one seed: simulated doors and the world
 * that holds them.
 */
export { SimClock } from './clock.ts'
export type { CrashOptions, DelayRange, SimDiskOptions } from './disk.ts'
export { SimDisk } from './disk.ts'
export type { DiskFault, DiskOperation, DiskWatcher } from './disk-faults.ts'
export type { Fate } from './inode.ts'
export { SimRandom } from './random.ts'
export { SimTrace } from './trace.ts'
