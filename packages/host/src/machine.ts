/**
 * What a process may know of the machine it runs on, read once at the start.
 */
import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Logger } from './logger.ts'
import type { Network } from './network.ts'
import type { Random } from './random.ts'

export interface Machine {
  readonly pid: number
  readonly hostname: string
  readonly homeDirectory: string
  readonly cores: number
  readonly totalMemoryBytes: number
  /** Changes with each start of the operating system; empty where the system has no such id. */
  readonly bootId: string
  /** IP addresses of the network interfaces, loopback excluded, IPv4 first. */
  readonly addresses: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Processor time used by this process so far, in microseconds. */
  cpuMicros(): number
  /** Resident memory of this process, in bytes. */
  residentBytes(): number
}

/** All doors together, as a composition root gets them. */
export interface Host {
  readonly clock: Clock
  readonly disk: Disk
  readonly network: Network
  readonly random: Random
  readonly logger: Logger
  readonly machine: Machine
}
