/**
 * A simulated machine: one disk, one address, and at most one process at a time, which can be
 * killed, lose its machine, and be started again on the same disk. Owns its disk and whether its
 * process lives.
 */
import type { Host, LogFields, Machine } from '@rockhopper/host'
import { type CrashOptions, SimDisk, type SimDiskOptions } from './disk.ts'
import type { SimFabric } from './fabric.ts'
import { Life } from './life.ts'
import { SimNetwork } from './network.ts'
import type { SimNode } from './node.ts'
import { type LogLevel, type LogLine, ProcessClock, ProcessDisk, ProcessLogger } from './process.ts'
import type { SimRandom } from './random.ts'

const GIGABYTE = 2 ** 30
const FIRST_PID = 1000

export interface SimHostOptions {
  /** Capacity, delays and short calls of its disk. */
  readonly disk?: Omit<SimDiskOptions, 'random' | 'trace'>
  /** How far its wall clock is ahead of the world's, in milliseconds; 0 when absent. */
  readonly skewMs?: number
  readonly environment?: Readonly<Record<string, string>>
}

export class SimHost {
  readonly name: string
  readonly ip: string
  /** Survives its processes; faults are set here. */
  readonly disk: SimDisk
  readonly #fabric: SimFabric
  readonly #node: SimNode
  readonly #random: SimRandom
  readonly #options: SimHostOptions
  readonly #heard: (line: LogLine) => void
  /** How far its wall clock is ahead of the world's, in milliseconds. */
  #skewMs: number
  #life = new Life()
  #pid = FIRST_PID
  #bootId: string
  #doors: Host

  constructor(
    fabric: SimFabric,
    node: SimNode,
    random: SimRandom,
    heard: (line: LogLine) => void,
    options: SimHostOptions = {},
  ) {
    this.name = node.name
    this.ip = node.ip
    this.#fabric = fabric
    this.#node = node
    this.#random = random
    this.#heard = heard
    this.#options = options
    this.#skewMs = options.skewMs ?? 0
    const diskRandom = random.fork()
    this.disk = new SimDisk(fabric.clock, {
      ...options.disk,
      random: diskRandom,
      trace: fabric.trace,
    })
    this.#bootId = random.bytes(16).toString('hex')
    this.#doors = this.#openDoors()
  }

  /** Whether its process lives. */
  get running(): boolean {
    return this.#life.alive
  }

  /** The doors of the present process, always the same ones until it ends. */
  get doors(): Host {
    return this.#doors
  }

  /**
   * Ends the process (kill -9): nothing of it runs any more, its streams are closed by the system,
   * and everything it wrote stays on the disk.
   */
  kill(): void {
    this.#fabric.trace.note(`kill ${this.name}`)
    this.#life.end()
    this.disk.processKill()
    this.#node.endProcess()
  }

  /**
   * The machine loses power: the process ends, peers hear nothing of it (their requests run into
   * timeouts), and the disk keeps what was synced and of the rest what the options say.
   */
  crash(options: CrashOptions = {}): void {
    this.#fabric.trace.note(`crash ${this.name}`)
    this.#life.end()
    this.#node.on = false
    this.#node.endProcess()
    this.disk.crash(options)
    this.#bootId = this.#random.bytes(16).toString('hex')
  }

  /**
   * Stops the process (kill -STOP): it does nothing, but its machine answers for it: connections are
   * taken, and bytes wait. What its disk has under way is still completed.
   */
  pause(): void {
    this.#fabric.trace.note(`pause ${this.name}`)
    this.#life.pause()
  }

  /** Lets a stopped process go on with what has come meanwhile. */
  resume(): void {
    this.#fabric.trace.note(`resume ${this.name}`)
    const life = this.#life
    for (const task of life.resume()) this.#fabric.clock.soon(() => life.run(task))
  }

  /** Moves the wall clock of this machine alone, forwards or back. */
  jumpClock(byMs: number): void {
    this.#skewMs += byMs
  }

  /** Starts the machine, if it is off, and a new process on it; its doors are returned. */
  restart(): Host {
    if (this.#life.alive) throw new Error(`host "${this.name}" runs already: kill it first`)
    this.#fabric.trace.note(`restart ${this.name}`)
    this.#node.on = true
    this.#life = new Life()
    this.#pid += 1
    this.#doors = this.#openDoors()
    return this.#doors
  }

  #openDoors(): Host {
    const life = this.#life
    const clock = new ProcessClock(this.#fabric.clock, life, () => this.#skewMs)
    const write = (level: LogLevel, sentence: string, fields: LogFields): void => {
      if (!life.alive) return
      const atMs = clock.monotonicMs()
      this.#heard({ atMs, host: this.name, level, sentence, fields })
    }
    return {
      clock,
      disk: new ProcessDisk(this.disk, life),
      network: new SimNetwork(this.#fabric, this.#node, life),
      random: this.#random.fork(),
      logger: new ProcessLogger(write),
      machine: this.#machine(),
    }
  }

  #machine(): Machine {
    return {
      pid: this.#pid,
      hostname: this.name,
      homeDirectory: '/home/rockhopper',
      cores: 2,
      totalMemoryBytes: 8 * GIGABYTE,
      bootId: this.#bootId,
      addresses: [this.ip],
      environment: this.#options.environment ?? {},
      cpuMicros: () => 0,
      residentBytes: () => GIGABYTE / 8,
    }
  }
}
