/**
 * Where a part reports what a person should know: a constant sentence, and fields beside it.
 * `error`: a person must act. `warn`: something is off. `info`: one screen a day. `debug`: anything.
 */
export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  error(sentence: string, fields?: LogFields): void
  warn(sentence: string, fields?: LogFields): void
  info(sentence: string, fields?: LogFields): void
  debug(sentence: string, fields?: LogFields): void
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger
}

/** Says nothing; the default of the client library. */
export const silentLogger: Logger = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLogger,
}
