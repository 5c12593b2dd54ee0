/**
 * The doors of one simulated process. They work while it lives; afterwards its timers do not fire,
 * its calls are not answered, its files do not take bytes, and its words are not heard. Owns
 * nothing: all state belongs to the machine and the world.
 */
import {
  type Clock,
  type Disk,
  DiskError,
  type DiskFile,
  type DiskLock,
  type FileStat,
  type LogFields,
  type Logger,
  type OpenMode,
  type Timer,
  type VolumeSpace,
} from '@rockhopper/host'
import type { SimClock } from './clock.ts'
import type { SimDisk } from './disk.ts'
import type { Life } from './life.ts'

export class ProcessClock implements Clock {
  readonly #clock: SimClock
  readonly #life: Life
  readonly #skewMs: () => number

  /** `skewMs` tells how far the wall clock of this machine is ahead. */
  constructor(clock: SimClock, life: Life, skewMs: () => number) {
    this.#clock = clock
    this.#life = life
    this.#skewMs = skewMs
  }

  nowMs(): number {
    return this.#clock.nowMs() + this.#skewMs()
  }

  utcOffsetMs(): number {
    return this.#clock.utcOffsetMs()
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  after(delayMs: number, task: () => void): Timer {
    let isCancelled = false
    const timer = this.#clock.after(delayMs, () => {
      this.#life.run(() => {
        if (!isCancelled) task()
      })
    })
    // One that is over while its process is stopped can still be called off.
    const cancel = (): void => {
      isCancelled = true
      timer.cancel()
    }
    return { cancel }
  }

  soon(task: () => void): void {
    this.#clock.soon(() => this.#life.run(task))
  }
}

export class ProcessDisk implements Disk {
  readonly #disk: SimDisk
  readonly #life: Life

  constructor(disk: SimDisk, life: Life) {
    this.#disk = disk
    this.#life = life
  }

  open(path: string, mode: OpenMode): DiskFile {
    return this.#living(path).open(path, mode)
  }

  list(directory: string): string[] {
    return this.#living(directory).list(directory)
  }

  stat(path: string): FileStat | undefined {
    return this.#living(path).stat(path)
  }

  makeDirectory(directory: string): void {
    this.#living(directory).makeDirectory(directory)
  }

  rename(from: string, to: string): void {
    this.#living(from).rename(from, to)
  }

  remove(path: string): void {
    this.#living(path).remove(path)
  }

  syncDirectory(directory: string): Promise<void> {
    if (!this.#life.alive) return new Promise(() => {})
    return this.#disk.syncDirectory(directory)
  }

  volumeSpace(path: string): VolumeSpace {
    return this.#living(path).volumeSpace(path)
  }

  lock(directory: string): DiskLock {
    return this.#living(directory).lock(directory)
  }

  #living(path: string): SimDisk {
    if (this.#life.alive) return this.#disk
    throw new DiskError('EBADF', path, `cannot use "${path}": the process has ended (EBADF)`)
  }
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

/** What a process said. */
export interface LogLine {
  readonly atMs: number
  readonly host: string
  readonly level: LogLevel
  readonly sentence: string
  readonly fields: LogFields
}

export class ProcessLogger implements Logger {
  readonly #write: (level: LogLevel, sentence: string, fields: LogFields) => void
  readonly #fields: LogFields

  /** `write` decides whether the process is still heard. */
  constructor(
    write: (level: LogLevel, sentence: string, fields: LogFields) => void,
    fields: LogFields = {},
  ) {
    this.#write = write
    this.#fields = fields
  }

  error(sentence: string, fields?: LogFields): void {
    this.#write('error', sentence, { ...this.#fields, ...fields })
  }

  warn(sentence: string, fields?: LogFields): void {
    this.#write('warn', sentence, { ...this.#fields, ...fields })
  }

  info(sentence: string, fields?: LogFields): void {
    this.#write('info', sentence, { ...this.#fields, ...fields })
  }

  debug(sentence: string, fields?: LogFields): void {
    this.#write('debug', sentence, { ...this.#fields, ...fields })
  }

  child(fields: LogFields): Logger {
    return new ProcessLogger(this.#write, { ...this.#fields, ...fields })
  }
}
