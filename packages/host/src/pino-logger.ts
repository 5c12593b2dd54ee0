/**
 * The real logger: one JSON object per line, by pino. A line is written before the call returns, so
 * that the last words of a process that dies are not lost. Owns the descriptor it writes to.
 */
import { mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Logger as Pino, pino, stdSerializers, stdTimeFunctions } from 'pino'
import { codeOf } from './disk-reason.ts'
import type { LogFields, Logger } from './logger.ts'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug' | 'silent'

export interface PinoLoggerOptions {
  /** The least grave level that is written; `info` when absent. */
  readonly level?: LogLevel
  /** A file descriptor, or the path of a file to append to; 1 (standard output) when absent. */
  readonly destination?: number | string
  /** Stand in every line. */
  readonly fields?: LogFields
}

export function pinoLogger(options: PinoLoggerOptions = {}): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: options.fields ?? null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: stdSerializers.errWithCause, cause: stdSerializers.errWithCause },
  }
  return new PinoLogger(pino(settings, new LineWriter(options.destination ?? 1)))
}

class PinoLogger implements Logger {
  readonly #pino: Pino

  constructor(inner: Pino) {
    this.#pino = inner
  }

  error(sentence: string, fields?: LogFields): void {
    this.#pino.error(fields, sentence)
  }

  warn(sentence: string, fields?: LogFields): void {
    this.#pino.warn(fields, sentence)
  }

  info(sentence: string, fields?: LogFields): void {
    this.#pino.info(fields, sentence)
  }

  debug(sentence: string, fields?: LogFields): void {
    this.#pino.debug(fields, sentence)
  }

  child(fields: LogFields): Logger {
    return new PinoLogger(this.#pino.child(fields))
  }
}

/**
 * A broker must not stop because its log cannot be written (a full volume, a reader that is gone or
 * slow): such a line is lost, and the next that gets through is preceded by one that says so.
 */
class LineWriter {
  readonly #descriptor: number
  #lostLines = 0
  #lastCode = ''

  constructor(destination: number | string) {
    this.#descriptor = typeof destination === 'number' ? destination : openLog(destination)
  }

  write(line: string): void {
    try {
      if (this.#lostLines > 0) this.#reportLoss()
      this.#writeAll(Buffer.from(line))
    } catch (error) {
      this.#lostLines += 1
      this.#lastCode = codeOf(error)
    }
  }

  #reportLoss(): void {
    const msg = 'Lines of this log could not be written and are lost.'
    const fields = { level: 'warn', lostLines: this.#lostLines, code: this.#lastCode, msg }
    this.#writeAll(Buffer.from(`${JSON.stringify(fields)}\n`))
    this.#lostLines = 0
  }

  #writeAll(bytes: Buffer): void {
    let done = 0
    while (done < bytes.length) done += writeSync(this.#descriptor, bytes, done)
  }
}

function openLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true })
  return openSync(path, 'a')
}
