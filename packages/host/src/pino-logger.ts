/**
 * The real logger: one JSON object per line, by pino. Lines are written before the call returns, so
 * that the last words of a process that dies are not lost.
 */
import { destination, type Logger as Pino, pino, stdSerializers, stdTimeFunctions } from 'pino'
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
  const target = destination({ dest: options.destination ?? 1, sync: true, mkdir: true })
  const settings = {
    level: options.level ?? 'info',
    base: options.fields ?? null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: stdSerializers.errWithCause, cause: stdSerializers.errWithCause },
  }
  return new PinoLogger(pino(settings, target))
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
